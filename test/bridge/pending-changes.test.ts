import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PendingChanges } from '../../src/bridge/pending-changes.ts';
import { StoreUnavailable } from '../../src/errors.ts';
import type { SessionId } from '../../src/ids.ts';

const [a, b] = ['session_a' as SessionId, 'session_b' as SessionId];
const lost = () => Promise.reject(new StoreUnavailable(new Error('gone')));

describe('what calls tell the store', () => {
  let lines: { change: string; again: boolean }[];
  let changes: PendingChanges;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    lines = [];
    const sink = { write: (line: string) => void lines.push(JSON.parse(line)) };
    changes = new PendingChanges(pino({ level: 'error' }, sink));
  });
  afterEach(() => vi.useRealTimers());

  test('waits as long as the store is lost, one session in its order, others on their own', async () => {
    let store = lost;
    const made: string[] = [];
    const change = (name: string) => async () => {
      await store();
      made.push(name);
    };
    const all = [
      changes.keep(a, 'first', change('a1')),
      changes.keep(a, 'second', change('a2')),
      changes.keep(b, 'first', change('b1')),
    ];
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(made).toEqual([]);
    expect([changes.waiting(a), changes.waiting(b)]).toEqual([2, 1]);
    store = () => Promise.resolve() as Promise<never>;
    await vi.advanceTimersByTimeAsync(5000);
    await Promise.all(all);
    expect(made.filter((name) => name.startsWith('a'))).toEqual(['a1', 'a2']);
    expect(made).toContain('b1');
    await vi.advanceTimersByTimeAsync(0);
    expect([changes.waiting(a), changes.waiting(b)]).toEqual([0, 0]);
    expect(lines.map((line) => line.change)).toEqual(['first', 'first']);
  });

  test('gives up what fails for a reason of its own, says so, and goes on with the next', async () => {
    const failing = vi.fn(() => Promise.reject(new Error('no such column')));
    const next = vi.fn(() => Promise.resolve());
    const all = [changes.keep(a, 'wrong', failing), changes.keep(a, 'right', next)];
    await vi.advanceTimersByTimeAsync(60_000);
    await Promise.all(all);
    expect(failing).toHaveBeenCalledTimes(4);
    expect(next).toHaveBeenCalledTimes(1);
    expect(lines.map((line) => [line.change, line.again])).toEqual([
      ['wrong', true],
      ['wrong', false],
    ]);
  });

  test('drops what no more room is for, and says so', async () => {
    for (let i = 0; i < 20_000; i++) void changes.keep(`session_${i}` as SessionId, 'waiting', lost);
    await changes.keep(a, 'one too many', lost);
    expect(lines.some((line) => line.change === 'one too many')).toBe(true);
  });
});
