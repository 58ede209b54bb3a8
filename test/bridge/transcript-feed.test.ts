import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PendingChanges } from '../../src/bridge/pending-changes.ts';
import { TranscriptFeed } from '../../src/bridge/transcript-feed.ts';
import { StoreUnavailable } from '../../src/errors.ts';
import type { SessionId } from '../../src/ids.ts';
import type { TranscriptEvent } from '../../src/pipeline/pipeline-link.ts';
import type { Batch } from '../../src/sessions/transcripts.ts';
import { createLog } from '../../src/telemetry/log.ts';

const id = 'sess_ONE' as SessionId;
const final = (text: string): TranscriptEvent => ({
  ...{ type: 'transcript', final: true, speaker: 'customer', text },
  ...{ id: undefined, language: undefined, translation: undefined },
});

describe('the feed of transcripts', () => {
  let written: (Batch | string)[];
  let logged: string;
  let counted: Record<string, number>;
  let fail: () => Error | undefined;
  let feed: TranscriptFeed;
  /** What streaming clients are told. */
  let told: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    [written, logged, counted, fail] = [[], '', { kept: 0, dropped: 0 }, () => undefined];
    told = [];
    const note = (...words: unknown[]) => {
      logged += JSON.stringify(words);
    };
    const log = Object.assign(createLog('silent'), { error: note, warn: note });
    feed = new TranscriptFeed({
      transcripts: {
        write: async (_id, batch) => {
          const error = fail();
          if (error) throw error;
          written.push(batch);
          return { kept: batch.finals.length, dropped: 0, told: true };
        },
        complete: async (session) => void written.push(`complete ${session}`),
      },
      changes: new PendingChanges(log),
      clock: { now: () => 7, monotonic: () => performance.now() },
      log,
      onWords: (_session, { text }) => void told.push(text),
      metrics: {
        transcript_turns_total: {
          inc: ({ outcome }: { outcome: string }, by: number) => {
            counted[outcome] = (counted[outcome] ?? 0) + by;
          },
        },
      } as never,
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const texts = () =>
    written.map((one) => (typeof one === 'string' ? one : one.finals.map(({ text }) => text).join(' ')));

  test('writes at once, gathers what comes soon after, and ends with the whole', async () => {
    feed.heard(id, final('one'));
    await vi.advanceTimersByTimeAsync(1);
    feed.heard(id, final('two'));
    feed.heard(id, final('three'));
    expect(told).toEqual(['one', 'two', 'three']);
    await vi.advanceTimersByTimeAsync(50);
    expect(texts()).toEqual(['one']);
    await vi.advanceTimersByTimeAsync(100);
    expect(texts()).toEqual(['one', 'two three']);
    feed.heard(id, final('four'));
    await feed.over(id);
    expect(texts()).toEqual(['one', 'two three', 'four', `complete ${id}`]);
    expect(written[0]).toMatchObject({ finals: [{ at: 7, final: true, speaker: 'customer' }] });
    expect(counted).toEqual({ kept: 4, dropped: 0 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written).toHaveLength(4);
  });

  test('has nothing to do for silence', async () => {
    feed.heard(id, final(' \n'));
    await feed.over(id);
    expect([written, told]).toEqual([[], []]);
  });

  test('holds a flood to 20 turns in 100 ms, and counts what has no place', async () => {
    for (let i = 0; i < 1000; i++) feed.heard(id, final(`${i}`));
    await vi.advanceTimersByTimeAsync(450);
    const before = written.map((one) => (one as Batch).finals.length);
    expect(before).toEqual([20, 20, 20, 20, 20]);
    await feed.over(id);
    expect(counted).toEqual({ kept: 500, dropped: 500 });
    expect((written[0] as Batch).dropped).toBe(500);
    expect(logged).toContain('"turns":500');
  });

  test('keeps what was said while the store was lost', async () => {
    fail = () => new StoreUnavailable(new Error('locked'));
    feed.heard(id, final('one'));
    await vi.advanceTimersByTimeAsync(20_000);
    feed.heard(id, final('two'));
    fail = () => undefined;
    await vi.advanceTimersByTimeAsync(10_000);
    expect([texts(), counted]).toEqual([['one', 'two'], { kept: 2, dropped: 0 }]);
  });

  test('gives up what cannot be kept, goes on, counts it, and never logs a word of it', async () => {
    fail = () => new Error('no such table');
    feed.heard(id, final('a secret'));
    await vi.advanceTimersByTimeAsync(10_000);
    fail = () => undefined;
    feed.heard(id, final('another secret'));
    await vi.advanceTimersByTimeAsync(1000);
    await feed.over(id);
    expect(texts()).toEqual(['another secret', `complete ${id}`]);
    expect(counted).toEqual({ kept: 1, dropped: 1 });
    expect(logged).toContain('could not be kept');
    expect(logged).toContain('turns of a transcript were dropped');
    expect(logged).not.toContain('secret');
  });
});
