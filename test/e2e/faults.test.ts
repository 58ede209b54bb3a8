import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, TestGateway } from '../support/gateway.ts';
import type { TestPhone } from '../support/test-phone.ts';

describe('when a part fails', () => {
  let gateway: TestGateway;
  let workers: Worker[];
  const phones: TestPhone[] = [];
  const onWorker = (worker: Worker) => void workers.push(worker);

  beforeEach(async () => {
    workers = [];
    process.on('worker', onWorker);
    gateway = await TestGateway.start({ settings: { session: { rejoin_seconds: 1 } } });
  });
  afterEach(async () => {
    process.off('worker', onWorker);
    await Promise.all(phones.splice(0).map((phone) => phone.stop()));
    await gateway.stop();
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
    const made = await call();
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
  });

  test('a media worker that dies ends its calls with error and a BYE, and the next call is carried', async () => {
    const made = await call();
    await (workers.find((worker) => worker.threadName?.startsWith('media')) as Worker).terminate();
    expect((await made.ended).reasonHeader).toMatch(/text="error: /);
    await eventually('the next call is answered', async () => (await call()).status === 200);
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
