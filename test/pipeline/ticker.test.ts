import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Ticker } from '../../src/pipeline/ticker.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A member that wants to rest for so long, and the ms at which it was called. */
function member(restMs: number | (() => number)) {
  const calls: number[] = [];
  const tick = (now: number) => {
    calls.push(Math.round(now - start));
    return typeof restMs === 'number' ? restMs : restMs();
  };
  const start = performance.now();
  return { calls, tick };
}

const gaps = (calls: readonly number[]) => calls.slice(1).map((at, i) => at - calls[i]!);

test.each([
  [0, 2],
  [-5, 2],
  [2, 2],
  [3, 4],
  [20, 20],
  [50, 50],
])('a member that rests for %i ms is called every %i ms', (restMs, every) => {
  const ticker = new Ticker(systemClock);
  const one = member(restMs);
  ticker.add(one);
  vi.advanceTimersByTime(500);
  expect(one.calls[0]).toBeLessThanOrEqual(4);
  expect(new Set(gaps(one.calls))).toEqual(new Set([every]));
});

test('each of many is called as it wants to be, and none is forgotten', () => {
  const ticker = new Ticker(systemClock);
  const members = Array.from({ length: 200 }, (_, i) => member(i % 60));
  for (const one of members) ticker.add(one);
  vi.advanceTimersByTime(1000);
  for (const [i, one] of members.entries()) {
    const every = Math.max(2, Math.ceil((i % 60) / 2) * 2);
    expect(new Set(gaps(one.calls)), `${i}`).toEqual(new Set([every]));
  }
});

test('one that wants to rest for longer than can be is called all the same', () => {
  const ticker = new Ticker(systemClock);
  const one = member(100_000);
  ticker.add(one);
  vi.advanceTimersByTime(1000);
  expect(Math.max(...gaps(one.calls))).toBeLessThanOrEqual(64);
});

test('after a pause of the process each is called once, and then as before', () => {
  const ticker = new Ticker(systemClock);
  const [quick, slow] = [member(0), member(20)];
  ticker.add(quick);
  ticker.add(slow);
  vi.advanceTimersByTime(100);
  const before = [quick.calls.length, slow.calls.length];
  // The clock goes on, and the timer does not.
  const now = performance.now();
  const late = vi.spyOn(performance, 'now').mockImplementation(() => now + 5002);
  vi.advanceTimersByTime(2);
  late.mockRestore();
  expect([quick.calls.length - before[0]!, slow.calls.length - before[1]!]).toEqual([1, 1]);
});

test('one that was removed is not called any more, also by another that is due with it', () => {
  const ticker = new Ticker(systemClock);
  const gone = member(0);
  const remover = member(() => {
    ticker.remove(gone);
    return 0;
  });
  ticker.add(remover);
  ticker.add(gone);
  vi.advanceTimersByTime(100);
  expect(gone.calls).toEqual([]);
  expect(remover.calls.length).toBeGreaterThan(40);
  expect(ticker.members).toEqual([remover]);
});

test('no timer runs while there is nobody to call', () => {
  const ticker = new Ticker(systemClock);
  for (let round = 0; round < 3; round++) {
    const one = member(10);
    expect(vi.getTimerCount()).toBe(0);
    ticker.add(one);
    vi.advanceTimersByTime(1000);
    expect(one.calls.length).toBeGreaterThan(90);
    ticker.remove(one);
    vi.advanceTimersByTime(1000);
  }
  expect(vi.getTimerCount()).toBe(0);
});
