import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, TestGateway } from '../support/gateway.ts';
import { floodWithInvites } from '../support/invite-flood.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { TestPhone } from '../support/test-phone.ts';

/** Calls from anywhere, with the password. */
const organization = {
  ...{ id: 'open', name: 'Open', api_keys: ['sk_test_open_0123456789'] },
  sip: { username: 'open', password: 'open-password', concurrency_limit: 500 },
};
const GOOD_CALLS = 100;
/** The scanners come from 127.0.0.1, wherever they are told to bind. */
const GOOD_HOST = '127.0.0.4';

const hasSipvicious = spawnSync('sh', ['-c', 'command -v svmap svwar svcrack']).status === 0;
const run = promisify(execFile);

describe('while strangers do their worst', () => {
  let gateway: TestGateway;
  let phone: TestPhone;
  const calls: PhoneCall[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'hostile-'));

  beforeAll(async () => {
    gateway = await TestGateway.start({ organizations: [organization] });
    phone = await gateway.phone({ host: GOOD_HOST, username: 'open', password: 'open-password' });
    for (let i = 0; i < GOOD_CALLS; i += 10) {
      calls.push(...(await Promise.all(Array.from({ length: 10 }, () => newCall()))));
    }
  }, 60_000);
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function newCall(): Promise<PhoneCall> {
    const id = await gateway.session({}, organization.api_keys[0]);
    const call = await phone.call(gateway.uri(id));
    expect(call.status).toBe(200);
    return call;
  }

  /** Every good call is up and hears its packets, and new ones are set up, all while `hostile` goes on. */
  async function undisturbed(hostile: Promise<unknown>): Promise<number> {
    let over = false;
    const done = hostile.finally(() => {
      over = true;
    });
    const before = calls.map((call) => call.media.heard.length);
    let made = 0;
    do {
      const call = await newCall();
      made += 1;
      expect((await call.bye()).status).toBe(200);
    } while (!over);
    await done;
    expect(await gateway.metric('kallglot_calls_active')).toBe(GOOD_CALLS);
    await eventually('every good call still hears', () =>
      calls.every((call, i) => call.media.heard.length > (before[i] as number) + 20),
    );
    return made;
  }

  test('10,000 INVITEs of one source in 5 s disturb none of 100 calls, and no new one', async () => {
    const [host = '', port = ''] = gateway.sipAddress().split(':');
    const flood = { from: '127.0.0.6', host, port: Number(port), count: 10_000, perSecond: 2_000 };
    expect(await undisturbed(floodWithInvites(flood))).toBeGreaterThan(0);
    // Whoever flooded is still served like any stranger, once it has stopped.
    const stranger = await gateway.phone({ host: '127.0.0.6', username: 'open', password: 'open-password' });
    const id = await gateway.session({}, organization.api_keys[0]);
    const call = await stranger.call(gateway.uri(id));
    expect(call.status).toBe(200);
    await call.bye();
    await stranger.stop();
  }, 120_000);

  test.runIf(hasSipvicious)(
    'sipvicious finds nothing, guesses nothing, and disturbs nobody',
    async () => {
      const [host = '', port = ''] = gateway.sipAddress().split(':');
      const options = { timeout: 20_000, env: { ...process.env, HOME: folder }, cwd: folder };
      // The scanners end with an error of their own when nobody answers; what they print is not looked at but for finds.
      const scan = (program: string, ...args: string[]): Promise<string> =>
        run(program, [...args, '-p', port, host], options)
          .then(({ stdout }) => stdout)
          .catch((error: { stdout?: string }) => error.stdout ?? '');
      const scans = Promise.all([
        scan('svmap', '-P', '25060'),
        scan('svwar', '--force', '-P', '25070', '-m', 'INVITE', '-e', '1000-1030'),
        scan('svcrack', '-P', '25080', '-u', 'open', '-r', '1000-1050'),
      ]);
      await undisturbed(scans);
      const [, extensions = '', passwords = ''] = await scans;
      expect(extensions).not.toContain('noauth');
      expect(passwords).not.toMatch(/\|\s*open\s*\|/);
      const { body } = await gateway.rest('GET', '/v1/admin/bans', undefined, organization.api_keys[0]);
      // What they are called and what they guess both count; which of the two comes tenth is theirs to choose.
      const cause = expect.stringMatching(/^(scanner|wrong_credentials)$/);
      expect(body.data).toMatchObject([{ address: '127.0.0.1', cause }]);
    },
    120_000,
  );
});
