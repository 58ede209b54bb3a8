import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { acme, ask, eventually } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { TestPhone } from '../support/test-phone.ts';
import { Receiver } from '../webhooks/receiver.ts';

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

/** Another soft limit for a process that runs; the hard one stays, so that it can be taken back. */
const allow = (pid: number, what: 'nofile' | 'fsize', most: number | 'unlimited') =>
  execFileSync('prlimit', ['--pid', String(pid), `--${what}=${most}:`]);
const softLimit = (pid: number) =>
  Number(execFileSync('prlimit', ['--pid', String(pid), '--nofile', '-o', 'SOFT', '--noheadings']));

test.skipIf(!existsSync('/usr/bin/prlimit'))(
  'a process that gets no more files and no more disk takes no new calls, carries those that are up, and loses nothing',
  async () => {
    const receiver = await Receiver.start();
    running.push(receiver);
    const gateway = GatewayProcess.start({
      by: 'node',
      settings: {
        sip: { listen: ['udp:127.0.0.1:0'] },
        api: { listen: '127.0.0.1:0' },
        media: { address: '127.0.0.1', ports: '26000-26199' },
        ...{ session: { rejoin_seconds: 1 }, webhooks: { allow_private: true }, organizations: [acme] },
      },
    });
    running.push(gateway);
    const { api, sip } = await gateway.ready();
    const pid = gateway.child.pid as number;
    const phone = await new TestPhone().start();
    running.push(phone);
    await ask(api, 'POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
    const wanted = { mode: 'ai_agent', routing: { type: 'sip' } };
    const session = async () => (await ask(api, 'POST', '/v1/sessions', wanted)).body.id as string;
    const call = (id: string) => phone.call(`sip:${id}@${sip[0]?.slice('udp/'.length)}`);
    const [first, second, third] = [await session(), await session(), await session()];
    const assertCarried = async ({ media }: PhoneCall, packets = 20) => {
      const before = media.heard.length;
      await eventually('it is heard', () => media.heard.length > before + packets);
    };
    const one = await call(first);
    expect(one.status).toBe(200);

    const files = softLimit(pid);
    // The first three are never free: not one file more can be opened.
    allow(pid, 'nofile', 3);
    const refused = await call(second);
    expect([refused.status, refused.headers.get('X-Kallglot-Error')]).toEqual([503, 'no_media_ports']);
    // Longer than a second: what is looked at every second, as memory, is looked at in this state too.
    await assertCarried(one, 75);
    allow(pid, 'nofile', files);
    const two = await call(second);
    expect(two.status).toBe(200);

    allow(pid, 'fsize', 0);
    const unkept = await ask(api, 'POST', '/v1/sessions', wanted);
    expect([unkept.status, unkept.body.error.code]).toEqual([503, 'store_unavailable']);
    await eventually('it is not ready', async () => (await ask(api, 'GET', '/readyz')).status === 503);
    const late = await call(third);
    expect([late.status, late.headers.get('X-Kallglot-Error')]).toEqual([503, 'store_unavailable']);
    await assertCarried(two);
    await one.bye();
    await two.bye();
    allow(pid, 'fsize', 'unlimited');
    await eventually('it is ready', async () => (await ask(api, 'GET', '/readyz')).status === 200);
    const three = await call(third);
    expect(three.status).toBe(200);
    await assertCarried(three);
    for (const id of [first, second]) {
      await eventually('the end is told', () => typesOf(receiver, id).at(-1) === 'session.ended', 20_000);
      const ends = ['session.provider.disconnected', 'session.ended'];
      expect(typesOf(receiver, id).slice(-2)).toEqual(ends);
      expect((await ask(api, 'GET', `/v1/sessions/${id}/calls`)).body.data).toHaveLength(1);
    }
  },
);

const typesOf = (receiver: Receiver, session: string): string[] =>
  receiver.of(session).map(({ type }) => type);
