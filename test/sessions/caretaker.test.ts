import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { legRecord } from '../../src/bridge/leg-record.ts';
import { LegTimeline } from '../../src/bridge/leg-timeline.ts';
import { noFigures } from '../../src/bridge/link-figures.ts';
import { StoreUnavailable } from '../../src/errors.ts';
import type { SessionId } from '../../src/ids.ts';
import { Caretaker } from '../../src/sessions/caretaker.ts';
import { IdempotencyKeys } from '../../src/sessions/idempotency-keys.ts';
import type { LegFacts } from '../../src/sessions/leg-view.ts';
import type { Session } from '../../src/sessions/session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { Transcripts } from '../../src/sessions/transcripts.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { addEndpoint, addOrganization } from '../store/rows.ts';
import { said } from './said.ts';

const MINUTE = 60_000;

describe('the caretaker', () => {
  let store: Store;
  let sessions: Sessions;
  let transcripts: Transcripts;
  let caretaker: Caretaker;
  let now = 0;
  /** By how much the wall clock was stepped. */
  let stepped = 0;
  let live: SessionId[] = [];
  let silent: SessionId[] = [];
  /** Nothing can be written. */
  let lost = false;
  const clock = { now: () => now + stepped, monotonic: () => now };

  beforeEach(async () => {
    [now, stepped, live, silent, lost] = [0, 0, [], [], false];
    const opened = await openStore('sqlite::memory:', 0);
    const unavailable = () => Promise.reject(new StoreUnavailable(new Error('lost')));
    store = { ...opened, write: (change) => (lost ? unavailable() : opened.write(change)) };
    await addOrganization(store);
    sessions = new Sessions(store, clock, 'sip.kallglot.com');
    transcripts = new Transcripts(store, clock);
    caretaker = new Caretaker({
      sessions,
      transcripts,
      transcriptDays: 2,
      idempotencyKeys: new IdempotencyKeys(store, clock),
      clock,
      log: createLog('silent'),
      unusedMinutes: 30,
      rejoinSeconds: 30,
      live: () => live,
      silent: () => silent,
    });
  });
  afterEach(async () => {
    caretaker.close();
    await store.close();
  });

  async function create(): Promise<SessionId> {
    const nothing = {
      sourceLanguage: null,
      targetLanguage: null,
      routing: null,
      metadata: null,
      aiAgent: null,
    };
    const mode = 'bidirectional_translation' as const;
    return (await sessions.create({ organizationId: 'acme', mode, ...nothing }, { provider: 'sip' })).id;
  }
  const stateOf = async (id: SessionId) => {
    const session = await sessions.find(id);
    return [session?.status, session?.endedAt, session?.endReason];
  };

  test('ends a session that was never called after 30 minutes, unless a call is being set up', async () => {
    const [left, ringing] = [await create(), await create()];
    live = [ringing];
    now = 30 * MINUTE;
    await caretaker.sweep();
    expect(await stateOf(left)).toEqual(['created', null, null]);
    now += 1;
    await caretaker.sweep();
    expect(await stateOf(left)).toEqual(['ended', now, 'unused']);
    expect(await stateOf(ringing)).toEqual(['created', null, null]);
  });

  test('tells of the end of a session that nobody was in, for a client may be connected to it', async () => {
    const ended: unknown[] = [];
    sessions.onEnded(({ id, endReason }) => ended.push([id, endReason]));
    const id = await create();
    now = 30 * MINUTE + 1;
    await caretaker.sweep();
    await caretaker.sweep();
    expect(ended).toEqual([[id, 'unused']]);
  });

  test('ends a session whose legs are all silent, though they are up', async () => {
    const id = await create();
    await sessions.apply(id, { type: 'started', at: 0 });
    live = [id];
    silent = [id];
    now = 1000;
    await caretaker.sweep();
    expect(await stateOf(id)).toEqual(['ended', 1000, 'silent']);
  });

  test('ends what an earlier run left behind as of when it was last alive, after its callers had time to come back', async () => {
    const [gone, back] = [await create(), await create()];
    for (const id of [gone, back]) await sessions.apply(id, { type: 'started', at: 100 });
    live = [gone, back];
    now = 15_000;
    await caretaker.sweep();
    live = [];
    now = 29_999;
    await caretaker.sweep();
    expect(await stateOf(gone)).toEqual(['active', null, null]);
    live = [back];
    now = 60_000;
    await caretaker.sweep();
    // Another node could have marked it alive until a moment ago.
    expect((await stateOf(gone))[0]).toBe('active');
    now = 60_001;
    await caretaker.sweep();
    expect(await stateOf(gone)).toEqual(['ended', 15_000, 'completed']);
    expect((await stateOf(back))[0]).toBe('active');
  });

  test.each([3_600_000, -3_600_000])(
    'ends nothing too early when the wall clock is stepped by %i ms',
    async (step) => {
      const [unused, elsewhere] = [await create(), await create()];
      await sessions.apply(elsewhere, { type: 'started', at: 100 });
      await sessions.markAlive([elsewhere]);
      now = MINUTE - 15_000;
      await sessions.markAlive([elsewhere]);
      stepped = step;
      now = MINUTE;
      await caretaker.sweep();
      // The other node has not marked its session by the new time yet.
      now += 15_000;
      await sessions.markAlive([elsewhere]);
      for (; now < 30 * MINUTE; now += 15_000) {
        await caretaker.sweep();
        await sessions.markAlive([elsewhere]);
      }
      expect((await stateOf(unused))[0]).toBe('created');
      expect((await stateOf(elsewhere))[0]).toBe('active');
      now += Math.max(0, -step) + MINUTE;
      await sessions.markAlive([elsewhere]);
      await caretaker.sweep();
      expect((await stateOf(unused))[0]).toBe('ended');
      expect((await stateOf(elsewhere))[0]).toBe('active');
    },
  );

  test('completes the transcript of a session that ended when its process died, and deletes it days later', async () => {
    await addEndpoint(store);
    const [gone, here] = [await create(), await create()];
    const batch = { finals: [said('hello')], partials: [], dropped: 0 };
    for (const id of [gone, here]) await transcripts.write(id, batch);
    for (const id of [gone, here]) await sessions.apply(id, { type: 'ended', at: 1000, reason: 'completed' });
    const statusOf = async (id: SessionId) => {
      const session = await sessions.find(id);
      const { status, turns } = await transcripts.read(session as Session);
      return [status, turns.length];
    };
    now = 46_000;
    live = [here];
    await caretaker.sweep();
    expect(await statusOf(gone)).toEqual(['in_progress', 1]);
    now = 46_001;
    await caretaker.sweep();
    expect(await statusOf(gone)).toEqual(['completed', 1]);
    expect(await statusOf(here)).toEqual(['in_progress', 1]);
    await transcripts.complete(here);
    now = 46_001 + 2 * DAY;
    await caretaker.sweep();
    expect(await statusOf(gone)).toEqual(['completed', 1]);
    now++;
    await caretaker.sweep();
    expect(await statusOf(gone)).toEqual(['completed', 0]);
    expect(await store.db.selectFrom('transcript_turns').selectAll().execute()).toEqual([]);
  });

  test('ends nothing of another node as soon as a store is back that no node could write to', async () => {
    const [here, elsewhere, unused] = [await create(), await create(), await create()];
    for (const id of [here, elsewhere]) await sessions.apply(id, { type: 'started', at: 100 });
    await sessions.dialing(dialedLeg(unused), dialedRecord(unused, 100));
    live = [here];
    const lastSeen = 30 * MINUTE;
    now = lastSeen;
    await sessions.markAlive([elsewhere, unused]);
    await caretaker.sweep();
    lost = true;
    for (now += 15_000; now <= lastSeen + 2 * MINUTE; now += 15_000)
      await expect(caretaker.sweep()).rejects.toThrow();
    lost = false;
    // The other node has its turn only after this one.
    await caretaker.sweep();
    now += 14_000;
    await sessions.markAlive([elsewhere, unused]);
    for (const end = now + 2 * MINUTE; now < end; now += 15_000) {
      await caretaker.sweep();
      await sessions.markAlive([elsewhere, unused]);
    }
    for (const id of [here, elsewhere]) expect((await stateOf(id))[0]).toBe('active');
    expect((await stateOf(unused))[0]).toBe('created');
    expect(await sessions.calls(unused)).toEqual([]);
    now += 45_001;
    await caretaker.sweep();
    expect((await stateOf(elsewhere))[0]).toBe('ended');
    expect(await sessions.calls(unused)).toHaveLength(1);
  });

  test('closes the legs of a session that has ended before the record of its leg was kept', async () => {
    await addEndpoint(store);
    const [gone, here] = [await create(), await create()];
    for (const id of [gone, here]) {
      await sessions.dialing(dialedLeg(id), dialedRecord(id, 1000));
      await sessions.apply(id, { type: 'ended', at: 5000, reason: 'completed' });
    }
    live = [here];
    now = 50_000;
    await caretaker.sweep();
    expect(await sessions.calls(gone)).toEqual([]);
    now = 50_001;
    await caretaker.sweep();
    await caretaker.sweep();
    expect(await sessions.calls(gone)).toMatchObject([{ reason: 'error', ended_at: 5000 }]);
    expect(await sessions.calls(here)).toEqual([]);
    expect((await stateOf(gone))[2]).toBe('completed');
  });

  test('closes a leg that was answered just before its process died, as of then', async () => {
    const id = await create();
    now = 20 * MINUTE;
    const leg = { ...dialedLeg(id), direction: 'inbound' as const };
    const record = { ...dialedRecord(id, now), direction: 'inbound' as const, answered_at: now };
    await sessions.connected(leg, record, now, 'active');
    now += 45_000;
    await caretaker.sweep();
    expect(await sessions.calls(id)).toEqual([]);
    now += 1;
    await caretaker.sweep();
    expect(await sessions.calls(id)).toMatchObject([{ ended_at: 20 * MINUTE, duration_seconds: 0 }]);
  });

  test('closes a dial that a process left behind, and leaves its session to be called again', async () => {
    await addEndpoint(store);
    const [gone, here] = [await create(), await create()];
    now = 1000;
    for (const id of [gone, here]) await sessions.dialing(dialedLeg(id), dialedRecord(id, now));
    live = [here];
    now = 46_000;
    await caretaker.sweep();
    expect(await sessions.calls(gone)).toEqual([]);
    now = 46_001;
    await caretaker.sweep();
    await caretaker.sweep();
    expect(await sessions.calls(gone)).toMatchObject([
      { leg_id: `leg_of_${gone}`, direction: 'outbound', reason: 'error', answered_at: null, ended_at: 1000 },
    ]);
    expect(await sessions.calls(here)).toEqual([]);
    expect((await stateOf(gone))[0]).toBe('created');
    const failed = await store.db
      .selectFrom('events')
      .selectAll()
      .where('type', '=', 'session.dial.failed')
      .execute();
    expect(failed.map(({ session_id, data }) => [session_id, JSON.parse(data).reason])).toEqual([
      [gone, 'error'],
    ]);
  });
});

const DAY = 24 * 60 * MINUTE;

const dialedLeg = (sessionId: SessionId): LegFacts => ({
  ...{ id: `leg_of_${sessionId}`, sessionId, organizationId: 'acme', role: 'agent', direction: 'outbound' },
  ...{
    provider: 'sip' as const,
    callId: 'c',
    carrierCallId: null,
    from: 'sip:a@b',
    to: 'sip:c@d',
    sourceAddress: '',
    transport: 'udp',
    codec: '',
    srtp: null,
    headers: {},
  },
});

const dialedRecord = (sessionId: SessionId, startedAt: number) =>
  legRecord(
    dialedLeg(sessionId),
    {
      startedAt,
      upForMs: 0,
      userAgent: null,
      timeline: new LegTimeline(() => startedAt),
      peerCause: undefined,
      link: noFigures,
      endReason: null,
      sipStatus: null,
      keysReceived: 0,
      keysSent: 0,
    },
    undefined,
  );
