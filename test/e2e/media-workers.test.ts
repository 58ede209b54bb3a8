import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encode } from '../support/g711.ts';
import { eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import { runInsideWorker } from '../support/inside-worker.ts';
import { pacing } from '../support/pacing.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile).subarray(0, 16_000);
const heardBack = async (call: PhoneCall) => {
  const { startedAt } = await call.media.play(speech);
  await new Promise((resolve) => setTimeout(resolve, 800));
  return compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
};

describe('with two media workers', () => {
  let gateway: TestGateway;
  /** Names of the threads that were started; one that is gone has none any more. */
  let threads: (string | null)[];
  const phones: TestPhone[] = [];
  const onWorker = ({ threadName }: Worker) => void threads.push(threadName);
  const mediaThreads = () => threads.filter((name) => name?.startsWith('media-'));

  beforeEach(async () => {
    threads = [];
    process.on('worker', onWorker);
    gateway = await TestGateway.start({ settings: { media: { address: '127.0.0.1', workers: 2 } } });
  });
  afterEach(async () => {
    process.off('worker', onWorker);
    await Promise.all(phones.splice(0).map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function call(session: string, role: string): Promise<PhoneCall> {
    const phone = await gateway.phone({ t1Ms: 100 });
    phones.push(phone);
    const made = await phone.call(gateway.uri(session, { role }));
    expect(made.status).toBe(200);
    return made;
  }
  /** The two legs of a session. */
  async function twoLegs(): Promise<PhoneCall[]> {
    const session = await gateway.session();
    return [await call(session, 'customer'), await call(session, 'agent')];
  }
  const recordedReasons = () => {
    const db = new DatabaseSync(join(gateway.folder, 'test.db'), { readOnly: true });
    const rows = db.prepare('select reason from call_records').all();
    db.close();
    return rows.map(({ reason }) => reason);
  };

  test.each([
    ['that exits', 'process.exit(1)'],
    ['in which an error is thrown', 'setImmediate(() => { throw new Error("on purpose") })'],
    [
      'that runs out of memory',
      'setImmediate(() => { for (const all = []; ; ) all.push(new Array(1e5).fill(0.5)) })',
    ],
  ])('one %s takes both legs of its sessions, and nobody else notices', async (_, fault) => {
    const legs = [...(await twoLegs()), ...(await twoLegs())];
    expect(mediaThreads()).toEqual(['media-1', 'media-2']);
    const ended = legs.map(({ ended }) => ended);
    await eventually('all hear', () => legs.every(({ media }) => media.heard.length > 10));

    await runInsideWorker('media-1', fault);
    const first = await Promise.race(ended.map((end, i) => end.then(() => i)));
    const [lost, kept] = first < 2 ? [legs.slice(0, 2), legs.slice(2)] : [legs.slice(2), legs.slice(0, 2)];
    for (const leg of lost) expect((await leg.ended).reasonHeader).toMatch(/text="error: /);
    await eventually('both are recorded', () => recordedReasons().length === 2);
    expect(recordedReasons()).toEqual(['error', 'error']);
    expect(await gateway.metric('kallglot_ends_total{reason="error"}')).toBe(2);

    const reports = await Promise.all(kept.map(heardBack));
    for (const { speechMatched, missingMs } of reports) expect([speechMatched, missingMs]).toEqual([1, 0]);
    for (const { media, isUp } of kept) {
      expect(isUp).toBe(true);
      expect(pacing(media.heard)).toMatchObject({ ssrcs: 1, lost: 0, duplicates: 0 });
    }

    await eventually('the thread is replaced', () => mediaThreads()[2] === 'media-1');
    // The new one is the emptier of the two.
    expect((await heardBack((await twoLegs())[0] as PhoneCall)).speechMatched).toBe(1);
    expect(await gateway.metric('kallglot_calls_active')).toBe(4);
  });
});
