import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { acme, eventually } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { TestPhone } from '../support/test-phone.ts';

const root = join(import.meta.dirname, '../..');
const settings = {
  sip: { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] },
  api: { listen: '127.0.0.1:0' },
  media: { address: '127.0.0.1', ports: '25200-25299' },
  organizations: [acme],
};

describe('the gateway as a process', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  function start(by: 'npm' | 'node', more: Record<string, unknown> = {}): GatewayProcess {
    const made = GatewayProcess.start({ by, settings: { ...settings, ...more } });
    running.push(made);
    return made;
  }

  async function callTo({ api, sip }: { api: string; sip: string[] }) {
    const response = await fetch(`${api}/v1/sessions`, {
      method: 'POST',
      headers: { 'X-API-Key': acme.api_keys[0] as string, 'Content-Type': 'application/json' },
      body: JSON.stringify({ mode: 'bidirectional_translation', routing: { type: 'sip' } }),
    });
    const { id } = (await response.json()) as { id: string };
    const phone = await new TestPhone().start();
    running.push(phone);
    return phone.call(`sip:${id}@${sip[0]?.slice('udp/'.length)}`);
  }

  test('SIGTERM to npm alone hangs up the calls and ends it within 10 s, with its ports free again', async () => {
    const gateway = start('npm');
    const where = await gateway.ready();
    const call = await callTo(where);
    expect(call.status).toBe(200);
    const stoppedAt = performance.now();
    gateway.child.kill('SIGTERM');
    expect((await call.ended).reasonHeader).toMatch(/text="drained: /);
    await gateway.exited;
    await eventually('the API is gone', () =>
      fetch(`${where.api}/healthz`).then(
        () => false,
        () => true,
      ),
    );
    expect(performance.now() - stoppedAt).toBeLessThan(10_000);
    const again = start('node', { sip: { listen: where.sip.map((hostport) => hostport.replace('/', ':')) } });
    expect((await again.ready()).sip).toEqual(where.sip);
  });

  test('writes one line of its record for a call, with its session and its end', async () => {
    const gateway = start('node');
    const call = await callTo(await gateway.ready());
    await call.bye();
    await eventually('the record is in the log', () => gateway.stdout.includes('"call record"'));
    const lines = gateway.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [record, ...more] = lines.filter((line) => line.msg === 'call record');
    expect(more).toEqual([]);
    expect(record).toMatchObject({ record: { reason: 'hangup', codec: 'PCMU', role: 'customer' } });
    expect(gateway.stdout).not.toContain('acme-password');
  });

  test('a wrong setting ends it at once, with its path, what was found and what is allowed', async () => {
    const gateway = start('node', { media: { ports: 'many' } });
    expect((await gateway.exited).code).toBe(1);
    expect(gateway.stderr).toContain('media.ports: found "many"; allowed: FIRST-LAST');
  });

  test('a port that is taken ends it at once with a message that names it', async () => {
    const first = await start('node').ready();
    const second = start('node', { sip: { listen: [first.sip[0]?.replace('/', ':')] } });
    expect((await second.exited).code).toBe(1);
    expect(second.stderr).toContain(first.sip[0]?.slice('udp/127.0.0.1:'.length));
  });

  test('npm run demo -- --once places a call, hears its speech back, and ends with 0', {
    timeout: 120_000,
  }, async () => {
    const demo = spawn('npm', ['run', 'demo', '--', '--once'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    demo.stdout.on('data', (data: Buffer) => {
      said += data;
    });
    const [code] = await once(demo, 'close');
    expect(said).toMatch(/answered after \d+ ms with PCMU/);
    expect(code).toBe(0);
  });
});
