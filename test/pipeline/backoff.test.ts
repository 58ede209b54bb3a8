import { expect, test } from 'vitest';
import { Backoff } from '../../src/pipeline/backoff.ts';

/** @returns when attempts are made, ms after the loss, if each fails at once */
function attempts(backoff: Backoff, count: number): number[] {
  const at: number[] = [];
  for (let now = 0; at.length < count; ) {
    now += backoff.next(now);
    at.push(now);
  }
  return at;
}

test('pauses double from 0.25 to 5 s, and one attempt is made when speech begins to be lost', () => {
  expect(attempts(new Backoff(() => 0), 8)).toEqual([250, 750, 1750, 3750, 5000, 10_000, 15_000, 20_000]);
});

test('by chance they are up to a fifth shorter', () => {
  expect(attempts(new Backoff(() => 0.999_999), 1)[0]).toBeCloseTo(200, 0);
});

test('a connection that has proved good begins anew', () => {
  const backoff = new Backoff(() => 0);
  attempts(backoff, 4);
  backoff.reset();
  expect(backoff.next(0)).toBe(250);
});
