import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startDnsServer } from '../support/dns-server.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { TestPhone } from '../support/test-phone.ts';
import { Receiver } from '../webhooks/receiver.ts';

describe('when a part fails', () => {
  let gateway: TestGateway;
  let receiver: Receiver;
  let workers: Worker[];
  const phones: TestPhone[] = [];
  const onWorker = (worker: Worker) => void workers.push(worker);

  beforeEach(async () => {
    workers = [];
    process.on('worker', onWorker);
    receiver = await Receiver.start();
    await startGateway();
  });

  /** Whoever gave no allowlist calls with a password. */
  const roaming = { ...acme, id: 'roaming', api_keys: ['sk_test_roaming_0123456789'] };
  async function startGateway(sip: Record<string, unknown> = {}): Promise<void> {
    const outbound = { allowed_domains: ['*.phone.test'] };
    gateway = await TestGateway.start({
      settings: {
        session: { rejoin_seconds: 1 },
        webhooks: { allow_private: true },
        sip: { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'], ...sip },
      },
      organizations: [
        { ...acme, sip: { ...acme.sip, outbound } },
        { ...roaming, sip: { username: 'roaming', password: 'roaming-password' } },
      ],
    });
    await gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
  }

  /** What was promised of a call: its record, and the events of its session to the last one. */
  async function assertTold(session: string, reason: string): Promise<void> {
    await eventually(`the record of ${reason} is there`, () =>
      records().some((record) => record.session_id === session && record.reason === reason),
    );
    const told = () => receiver.of(session);
    await eventually('the end of the session is told', () => told().at(-1)?.type === 'session.ended');
    expect(told().find(({ type }) => type === 'session.provider.connected')).toBeDefined();
    expect(told().at(-2)).toMatchObject({ type: 'session.provider.disconnected', data: { reason } });
  }
  afterEach(async () => {
    process.off('worker', onWorker);
    await Promise.all(phones.splice(0).map((phone) => phone.stop()));
    await gateway.stop();
    await receiver.stop();
  });

  async function call(id?: string) {
    const phone = await gateway.phone({ t1Ms: 100 });
    phones.push(phone);
    return phone.call(gateway.uri(id ?? (await gateway.session())));
  }
  const records = () => {
    const db = new DatabaseSync(join(gateway.folder, 'test.db'), { readOnly: true });
    const rows = db.prepare('select * from call_records').all();
    db.close();
    return rows;
  };

  test('the record of a call is a row with what happened', async () => {
    const id = await gateway.session();
    const made = await call(id);
    await made.media.play(new Int16Array(4000));
    await made.bye();
    await eventually('the record is there', () => records().length === 1);
    expect(records()[0]).toMatchObject({
      session_id: id,
      organization_id: 'acme',
      role: 'customer',
      reason: 'hangup',
      codec: 'PCMU',
      transport: 'udp',
      source_address: '127.0.0.1',
      packets_lost: 0,
    });
    expect(Number(records()[0]?.packets_received)).toBeGreaterThan(20);
  });

  test('a SIP engine that dies ends its calls with engine_lost, and calls are taken again by a new one', async () => {
    const id = await gateway.session();
    const made = await call(id);
    expect(made.status).toBe(200);
    const port = gateway.sipAddress();
    await (workers.find((worker) => worker.threadName === 'sip-engine') as Worker).terminate();
    await eventually('the calls are over', async () => (await gateway.metric('kallglot_calls_active')) === 0);
    expect(await gateway.metric('kallglot_ends_total{reason="engine_lost"}')).toBe(1);
    expect((await gateway.rest('GET', '/readyz')).body).toMatchObject({
      status: 'not_ready',
      reasons: ['engine_lost'],
    });
    await eventually(
      'a new engine is there',
      async () => (await gateway.rest('GET', '/readyz')).status === 200,
    );
    expect(gateway.sipAddress()).not.toBe(port);
    expect((await call()).status).toBe(200);
    await assertTold(id, 'engine_lost');
  });

  test('a media worker that dies ends its calls with error and a BYE, and the next call is carried', async () => {
    const id = await gateway.session();
    const made = await call(id);
    await (workers.find((worker) => worker.threadName?.startsWith('media')) as Worker).terminate();
    expect((await made.ended).reasonHeader).toMatch(/text="error: /);
    await eventually('the next call is answered', async () => (await call()).status === 200);
    await assertTold(id, 'error');
  });

  test.each([
    ['a day ahead', 86_400_000],
    ['two hours back', -7_200_000],
  ])('a wall clock that is set %s ends no call, and who calls with a password is taken', async (_, step) => {
    const key = roaming.api_keys[0] as string;
    const phone = await new TestPhone({ username: 'roaming', password: 'roaming-password' }).start();
    phones.push(phone);
    const [id, next] = [await gateway.session({}, key), await gateway.session({}, key)];
    const made = await phone.call(gateway.uri(id));
    expect(made.status).toBe(200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + step });
    try {
      const heardBefore = made.media.heard.length;
      expect((await phone.call(gateway.uri(next))).status).toBe(200);
      await eventually('it is heard', () => made.media.heard.length > heardBefore + 20);
      expect((await gateway.rest('GET', `/v1/sessions/${next}`, undefined, key)).status).toBe(200);
      await made.bye();
      await eventually('the record is there', () => records().length === 1);
    } finally {
      vi.useRealTimers();
    }
    const { duration_seconds: seconds } = records()[0] as { duration_seconds: number };
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(60);
  });

  test('without a DNS a call out to a name fails and is told of; with it again the next one is placed', async () => {
    await gateway.stop();
    const names = ['one.phone.test', 'two.phone.test'];
    const table = names.map((name) => ({ type: 'A' as const, name, ttl: 0, data: '127.0.0.1' }));
    const gone = await startDnsServer(table);
    gone.close();
    await startGateway({ dns_servers: [gone.address] });
    const made = await call();
    const callee = await gateway.phone();
    phones.push(callee);
    callee.answer((incoming) => void incoming.accept());
    const id = await gateway.session();
    const dial = (host: string) =>
      gateway.rest('POST', `/v1/sessions/${id}/dial`, {
        ...{ to: `sip:agent@${host}:${callee.port}`, role: 'agent', wait: true },
      });
    const failed = await dial('one.phone.test');
    expect([failed.status, failed.body.error.code]).toEqual([502, 'dial_failed']);
    expect((await made.options()).status).toBe(200);
    await eventually('the failure is told', () =>
      receiver.received.some(
        ({ body }) => body.type === 'session.dial.failed' && body.data.session_id === id,
      ),
    );
    const back = await startDnsServer(table, Number(gone.address.split(':')[1]));
    // That nobody could tell is remembered for 5 s, of that name.
    expect((await dial('two.phone.test')).status).toBe(200);
    back.close();
  });

  test('a store that somebody else has locked stops no call, and nothing is lost when it is free again', async () => {
    const made = await call();
    const other = new DatabaseSync(join(gateway.folder, 'test.db'));
    other.exec('begin immediate');
    const heardBefore = made.media.heard.length;
    await made.media.play(new Int16Array(8000));
    expect(made.media.heard.length - heardBefore).toBeGreaterThan(30);
    await made.bye();
    other.exec('rollback');
    other.close();
    await eventually('the record is kept', () => records().length === 1);
  });

  test('an INVITE that a stop overtakes gets its final answer', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => gateway.session()));
    const callers = await Promise.all(ids.map(() => gateway.phone()));
    phones.push(...callers);
    const calls = callers.map((phone, i) => phone.call(gateway.uri(ids[i] as string)));
    await gateway.stop({ keepStore: true });
    for (const made of await Promise.all(calls)) expect([200, 503]).toContain(made.status);
  });
});
