import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { encode } from '../support/g711.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import { runInsideWorker } from '../support/inside-worker.ts';
import { pacing } from '../support/pacing.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile).subarray(0, 16_000);

/** What is said in all the calls at once comes back as it was, unless this machine has stalled meanwhile. */
async function allHear(calls: readonly PhoneCall[]): Promise<boolean> {
  const played = await Promise.all(calls.map(({ media }) => media.play(speech)));
  await pause(800);
  return calls.every(({ media }, i) => {
    const { startedAt } = played[i] as (typeof played)[number];
    return compareHeard(encode('PCMU', speech), media.heard, { playedAt: startedAt }).speechMatched === 1;
  });
}

describe('a node at its capacity', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start(settings: Record<string, Record<string, unknown>>): Promise<TestGateway> {
    const gateway = await TestGateway.start({ settings });
    running.push(gateway);
    return gateway;
  }
  async function phoneOf(gateway: TestGateway): Promise<TestPhone> {
    const phone = await gateway.phone();
    running.push(phone);
    return phone;
  }
  const readiness = async (gateway: TestGateway) => (await gateway.rest('GET', '/readyz')).body;

  /** What everybody is told while there is no room. */
  async function assertFull(gateway: TestGateway, phone: TestPhone, resource: string): Promise<void> {
    expect(await readiness(gateway)).toMatchObject({
      status: 'not_ready',
      reasons: ['overloaded'],
      capacity: { [resource]: { exhausted: true } },
    });
    expect(await gateway.metric(`kallglot_capacity_exhausted{resource="${resource}"}`)).toBe(1);
    const ping = await phone.request('OPTIONS', `sip:${gateway.sipAddress()}`);
    expect([ping.status, ping.headers.get('Retry-After')]).toEqual([503, '10']);
  }

  test('carries the calls that are up as if nothing were, while twice as many are offered', async () => {
    const gateway = await start({ limits: { max_calls: 4 }, session: { rejoin_seconds: 1 } });
    const phone = await phoneOf(gateway);
    const sessions: string[] = [];
    for (let i = 0; i < 8; i++) sessions.push(await gateway.session());
    const offered = sessions.map((id) => phone.call(gateway.uri(id)));
    const calls = await Promise.all(offered);
    const up = calls.filter((call) => call.status === 200);
    expect(up).toHaveLength(4);
    for (const call of calls.filter((one) => !up.includes(one)))
      expect([call.status, call.headers.get('Retry-After')]).toEqual([503, '10']);
    await assertFull(gateway, phone, 'calls');

    // The others try again and again meanwhile.
    const refused = sessions.filter((_, i) => calls[i]?.status !== 200);
    let over = false;
    const offering = refused.map(async (id) => {
      while (!over) expect((await phone.call(gateway.uri(id))).status).toBe(503);
    });
    await eventually('everybody hears each sample', () => allHear(up), 30_000);
    over = true;
    await Promise.all(offering);
    for (const { media } of up)
      expect(pacing(media.heard)).toMatchObject({ ssrcs: 1, lost: 0, duplicates: 0 });

    const session = sessions[calls.indexOf(up[0] as PhoneCall)] as string;
    expect((await phone.call(gateway.uri(session, { role: 'agent' }))).status).toBe(503);
    await Promise.all(up.map((call) => call.bye()));
    await eventually('it is ready again', async () => (await readiness(gateway)).status === 'ready');
    expect((await phone.call(gateway.uri(refused[0] as string))).status).toBe(200);
  });

  test('keeps the last RTP ports for the other parties of sessions that are up', async () => {
    const gateway = await start({
      media: { address: '127.0.0.1', ports: '25100-25105' },
      limits: { rtp_ports_percent: 60 },
    });
    const phone = await phoneOf(gateway);
    const [first, second, third] = [
      await gateway.session(),
      await gateway.session(),
      await gateway.session(),
    ];
    for (const id of [first, second]) expect((await phone.call(gateway.uri(id))).status).toBe(200);
    await assertFull(gateway, phone, 'rtp_ports');
    const refusalOf = ({ status, headers }: PhoneCall) => [status, headers.get('X-Kallglot-Error')];
    expect(refusalOf(await phone.call(gateway.uri(third)))).toEqual([503, 'no_media_ports']);
    expect((await phone.call(gateway.uri(first, { role: 'agent' }))).status).toBe(200);
    const none = await phone.call(gateway.uri(second, { role: 'agent' }));
    expect(refusalOf(none)).toEqual([503, 'no_media_ports']);
    expect(none.headers.get('Retry-After')).toBeDefined();
  });

  test('takes no new calls while its media worker is too busy', async () => {
    const gateway = await start({ limits: { media_busy_percent: 70, event_loop_delay_ms: 60_000 } });
    const phone = await phoneOf(gateway);
    const id = await gateway.session();
    const call = await phone.call(gateway.uri(id));
    expect(call.status).toBe(200);
    const busy =
      'globalThis.busy = setInterval(() => { for (const to = performance.now() + 45; performance.now() < to; ); }, 46)';
    await runInsideWorker('media-1', busy);
    await eventually('it is seen', async () => (await readiness(gateway)).status === 'not_ready');
    await assertFull(gateway, phone, 'media_busy_percent');
    expect((await phone.call(gateway.uri(await gateway.session()))).status).toBe(503);
    expect((await phone.call(gateway.uri(id, { role: 'agent' }))).status).toBe(200);
    await runInsideWorker('media-1', 'clearInterval(globalThis.busy)');
    await eventually('it is over', async () => (await readiness(gateway)).status === 'ready');
    expect((await phone.call(gateway.uri(await gateway.session()))).status).toBe(200);
    expect(call.isUp).toBe(true);
  });
});
