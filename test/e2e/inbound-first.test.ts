import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import type { TestPhone, TestPhoneOptions } from '../support/test-phone.ts';

const session_defaults = {
  mode: 'assistive_translation',
  source_language: 'en',
  target_language: 'es',
  metadata: { site: 'berlin' },
};
const inbound = { ...acme, sip: { ...acme.sip, inbound_first: true, session_defaults } };
const plain = { id: 'plain', name: 'Plain', sip: { username: 'plain', password: 'plain-password' } };
const anonymous = { username: undefined, password: undefined };

/** The states of all sessions that were kept, oldest first. */
function statusesIn({ folder }: TestGateway): unknown[] {
  const db = new DatabaseSync(join(folder, 'test.db'), { readOnly: true });
  const rows = db.prepare('select status from sessions order by created_at').all();
  db.close();
  return rows.map(({ status }) => status);
}

describe('an inbound-first trunk', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start(options: Parameters<typeof TestGateway.start>[0] = {}): Promise<TestGateway> {
    const gateway = await TestGateway.start({ organizations: [inbound, plain], ...options });
    running.push(gateway);
    return gateway;
  }
  async function phone(gateway: TestGateway, options: TestPhoneOptions = {}): Promise<TestPhone> {
    const made = await gateway.phone(options);
    running.push(made);
    return made;
  }
  const sessionOf = async (gateway: TestGateway, id: string) =>
    (await gateway.rest('GET', `/v1/sessions/${id}`)).body;
  const toNumber = (gateway: TestGateway, user = '+14155550100') => `sip:${user}@${gateway.sipAddress()}`;

  test('gets a session from its defaults for a call to a number, named in the 200', async () => {
    const gateway = await start();
    const caller = await phone(gateway);
    const call = await caller.call(toNumber(gateway));
    expect(call.status).toBe(200);
    const id = call.headers.get('x-kallglot-session') ?? '';
    expect(await sessionOf(gateway, id)).toMatchObject({
      id,
      ...session_defaults,
      provider: 'sip',
      phone_number: '+14155550100',
      routing: { type: 'sip', direction: 'inbound' },
    });
    await eventually('it is active', async () => (await sessionOf(gateway, id)).status === 'active');

    const agent = await caller.call(gateway.uri(id));
    expect([agent.status, agent.headers.get('x-kallglot-session')]).toEqual([200, undefined]);
    await gateway.rest('POST', `/v1/sessions/${id}/end`);
    expect((await call.ended).reasonHeader).toMatch(/text="session_ended: /);
    await agent.ended;
  });

  test('gets a session of its own for each call, also to an extension', async () => {
    const gateway = await start({ organizations: [{ ...acme, sip: { ...acme.sip, inbound_first: true } }] });
    const caller = await phone(gateway);
    const calls = await Promise.all(Array.from({ length: 5 }, () => caller.call(toNumber(gateway, '1001'))));
    const ids = calls.map((call) => call.headers.get('x-kallglot-session') ?? '');
    expect(new Set(ids).size).toBe(5);
    expect(await sessionOf(gateway, ids[0] as string)).toMatchObject({
      mode: 'bidirectional_translation',
      phone_number: null,
      metadata: null,
    });
    await Promise.all(calls.map((call) => call.bye()));
  });

  test('is the only one that may call numbers, and must be known', async () => {
    const gateway = await start({
      organizations: [{ ...inbound, sip: { ...inbound.sip, allowed_ips: [] } }, plain],
    });
    const answer = async (options: TestPhoneOptions) => {
      const call = await (await phone(gateway, options)).call(toNumber(gateway));
      if (call.status === 200) await call.bye();
      return [call.status, call.headers.get('x-kallglot-error')];
    };
    expect(await answer(anonymous)).toEqual([401, undefined]);
    expect(await answer({ username: 'plain', password: 'plain-password' })).toEqual([404, 'not_a_session']);
    expect(await answer({})).toEqual([200, undefined]);
  });

  test('is told apart by its username where several share an address', async () => {
    const second = {
      ...inbound,
      id: 'second',
      api_keys: ['sk_test_second_0123456789'],
      sip: { ...inbound.sip, username: 'second', password: 'second-password' },
    };
    const gateway = await start({ organizations: [inbound, second] });
    expect((await (await phone(gateway, anonymous)).call(toNumber(gateway))).status).toBe(401);
    const caller = await phone(gateway, { username: 'second', password: 'second-password' });
    const call = await caller.call(toNumber(gateway));
    const id = call.headers.get('x-kallglot-session');
    expect((await gateway.rest('GET', `/v1/sessions/${id}`)).status).toBe(404);
    expect((await gateway.rest('GET', `/v1/sessions/${id}`, undefined, second.api_keys[0])).status).toBe(200);
    await call.bye();
  });

  test('leaves no session behind when a call is refused before it has a port', async () => {
    const gateway = await start({
      organizations: [{ ...inbound, sip: { ...inbound.sip, concurrency_limit: 1 } }],
    });
    const caller = await phone(gateway);
    const g729 = (sdp: string) =>
      sdp.replace(/m=audio (\d+) RTP\/AVP .*/, 'm=audio $1 RTP/AVP 18').replace(/a=rtpmap.*\r\n/g, '');
    expect((await caller.call(toNumber(gateway), { sdp: g729 })).status).toBe(488);
    const call = await caller.call(toNumber(gateway));
    expect((await caller.call(toNumber(gateway))).status).toBe(486);
    expect(statusesIn(gateway)).toHaveLength(1);
    await call.bye();
  });

  test('leaves an ended session behind when the pipeline is not there, or the caller gives up', async () => {
    const pipeline = await FakePipeline.start({ refuse: 503 });
    running.push({ stop: () => pipeline.close() });
    const gateway = await start({ settings: { pipeline: { url: pipeline.url, on_failure: 'hangup' } } });
    const caller = await phone(gateway);
    expect((await caller.call(toNumber(gateway))).status).toBe(480);
    await eventually('it has ended', () => `${statusesIn(gateway)}` === 'ended');

    pipeline.behaviour = { readyAfterMs: 'never' };
    const canceled = await caller.call(toNumber(gateway), {
      onProvisional: (response, call) => {
        if (response.status === 180) void call.cancel();
      },
    });
    expect(canceled.status).toBe(487);
    await eventually('both have', () => `${statusesIn(gateway)}` === 'ended,ended');
  });
});
