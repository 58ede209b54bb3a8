import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { acme, ask, eventually, noRateLimit, TestGateway } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { postgresPrograms, TestPostgres } from '../support/postgres.ts';
import { TestPhone } from '../support/test-phone.ts';
import { Receiver } from '../webhooks/receiver.ts';

const wanted = { mode: 'bidirectional_translation', routing: { type: 'sip' } };

const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

async function newPhone(): Promise<TestPhone> {
  const phone = await new TestPhone({ t1Ms: 50 }).start();
  running.push(phone);
  return phone;
}

/** Audio goes on both ways. */
async function assertCarried(call: PhoneCall): Promise<void> {
  const before = call.media.heard.length;
  await eventually('it is heard', () => call.media.heard.length > before + 20);
  expect((await call.options()).status).toBe(200);
}

describe('a deploy on one node', () => {
  /** The gateway as a process; the next one goes on with the files and the ports of the one before. */
  async function start(before?: { process: GatewayProcess; sip: string[]; api: string }) {
    const gateway = GatewayProcess.start({
      by: 'node',
      folder: before?.process.folder,
      settings: {
        sip: { listen: before?.sip.map((one) => one.replace('/', ':')) ?? ['udp:127.0.0.1:0'] },
        api: { listen: before ? new URL(before.api).host : '127.0.0.1:0', rate_limit: noRateLimit },
        media: { address: '127.0.0.1', ports: '25300-25999' },
        ...{ session: { rejoin_seconds: 1 }, webhooks: { allow_private: true }, organizations: [acme] },
        shutdown: { drain_seconds: 60 },
      },
    });
    running.push(gateway);
    const { api, sip } = await gateway.ready();
    const address = sip[0]?.slice('udp/'.length);
    return { process: gateway, sip, api, address, uri: (id: string) => `sip:${id}@${address}` };
  }

  /** Places short calls one after the other, whatever becomes of them. @returns the sessions of those that were up */
  function keepCalling(uri: (id: string) => string, sessions: string[], phone: TestPhone) {
    const answered: string[] = [];
    let over = false;
    const calling = (async () => {
      for (const id of sessions) {
        if (over) return;
        const call = await phone.call(uri(id)).catch(() => undefined);
        if (call?.status === 200) {
          answered.push(id);
          await pause(100);
          await call.bye().catch(() => undefined);
        }
        await pause(50);
      }
    })();
    return {
      answered,
      stop: async () => {
        over = true;
        await calling;
      },
    };
  }

  test('under load: calls go on until they end, new ones are refused meanwhile, and nothing that was promised is lost', async () => {
    const receiver = await Receiver.start();
    running.push(receiver);
    const old = await start();
    await ask(old.api, 'POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
    const sessions: string[] = [];
    for (let i = 0; i < 202; i++) sessions.push((await ask(old.api, 'POST', '/v1/sessions', wanted)).body.id);
    const [id, spare, ...others] = sessions as [string, string, ...string[]];
    const phone = await newPhone();
    const customer = await phone.call(old.uri(id));
    const load = keepCalling(old.uri, others, await newPhone());
    await eventually('calls are taken', () => load.answered.length > 2);

    old.process.child.kill('SIGTERM');
    await eventually('it is not ready', async () => (await ask(old.api, 'GET', '/readyz')).status === 503);
    expect((await ask(old.api, 'GET', '/readyz')).body.reasons).toEqual(['draining']);
    const refused = await ask(old.api, 'POST', '/v1/sessions', wanted);
    expect([refused.status, refused.body.error.code]).toEqual([503, 'draining']);
    expect(refused.headers.get('Retry-After')).toBe('5');
    const answer = await phone.request('OPTIONS', `sip:${old.address}`);
    expect([answer.status, answer.headers.get('Retry-After')]).toEqual([503, '5']);
    const late = await phone.call(old.uri(spare));
    expect([late.status, late.headers.get('Retry-After')]).toEqual([503, '5']);
    const agent = await (await newPhone()).call(old.uri(id));
    expect(agent.status).toBe(200);
    const metrics = (await ask(old.api, 'GET', '/metrics')).body;
    expect(metrics).toMatch(/kallglot_refusals_total\{code="draining"\} \d/);
    for (const call of [customer, agent]) await assertCarried(call);
    await customer.bye();
    await agent.bye();
    expect(await old.process.exited).toMatchObject({ code: 0 });

    const next = await start(old);
    const again = await phone.call(next.uri(spare));
    expect(again.status).toBe(200);
    const after = load.answered.length;
    await eventually('calls are taken again', () => load.answered.length > after + 2);
    await load.stop();
    const calls = async (of: string) => (await ask(next.api, 'GET', `/v1/sessions/${of}/calls`)).body.data;
    await eventually('the last record is kept', async () => (await calls(load.answered.at(-1) ?? '')).length);
    for (const one of load.answered) expect(await calls(one)).toHaveLength(1);
    expect(await calls(id)).toHaveLength(2);
    const typesOf = (of: string): string[] => receiver.of(of).map(({ type }) => type);
    await eventually('the last event has come', () =>
      [id, ...load.answered].every((one) => typesOf(one).at(-1) === 'session.ended'),
    );
    for (const one of load.answered) expect(typesOf(one)).toContain('session.provider.disconnected');
    expect(typesOf(id).filter((type) => type === 'session.provider.disconnected')).toHaveLength(2);

    next.process.child.kill('SIGTERM');
    await eventually('it drains', async () => (await ask(next.api, 'GET', '/readyz')).status === 503);
    expect(again.isUp).toBe(true);
    next.process.child.kill('SIGTERM');
    expect((await again.ended).reasonHeader).toMatch(/^Q\.850;cause=41;text="drained: /);
    expect(await next.process.exited).toMatchObject({ code: 0 });
  });
});

describe('a drain', () => {
  test('ends the calls that are still up when its time is over', async () => {
    const gateway = await TestGateway.start({ settings: { shutdown: { drain_seconds: 1 } } });
    running.push(gateway);
    const phone = await newPhone();
    const call = await phone.call(gateway.uri(await gateway.session()));
    const begun = performance.now();
    await gateway.gateway.drain(new AbortController().signal);
    expect(performance.now() - begun).toBeGreaterThan(990);
    expect(call.isUp).toBe(true);
    await gateway.stop({ keepStore: true });
    expect((await call.ended).reasonHeader).toMatch(/text="drained: /);
  });

  test.skipIf(postgresPrograms() === undefined)(
    'on PostgreSQL hands over: sessions that are made meanwhile are called at the other node, and end at either',
    async () => {
      const postgres = await TestPostgres.start();
      running.push({ stop: () => postgres.close() });
      const settings = { store: { url: await postgres.createDatabase() }, session: { rejoin_seconds: 1 } };
      const leaving = await TestGateway.start({ settings });
      running.push(leaving);
      const staying = await TestGateway.start({ settings });
      running.push(staying);
      const phone = await newPhone();
      const before = await leaving.session();
      const id = await leaving.session();
      const call = await phone.call(leaving.uri(id));
      const drained = leaving.gateway.drain(new AbortController().signal);
      const made = await leaving.session();
      for (const one of [before, made]) {
        expect((await phone.call(leaving.uri(one))).status).toBe(503);
        const taken = await phone.call(staying.uri(one));
        expect(taken.status).toBe(200);
        await taken.bye();
      }
      await assertCarried(call);
      const elsewhere = await staying.session();
      const hungUp = await phone.call(staying.uri(elsewhere));
      expect((await leaving.rest('POST', `/v1/sessions/${elsewhere}/end`)).status).toBe(200);
      expect((await hungUp.ended).reasonHeader).toMatch(/text="session_ended/);
      await call.bye();
      await drained;
      await leaving.stop({ keepStore: true });
      const { body } = await staying.rest('GET', `/v1/sessions/${id}/calls`);
      expect(body.data).toMatchObject([{ reason: 'hangup' }]);
      expect((await staying.rest('GET', `/v1/sessions/${id}`)).body.status).toBe('ended');
    },
  );
});
