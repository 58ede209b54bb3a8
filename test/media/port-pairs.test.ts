import { expect, test } from 'vitest';
import { PortPairs } from '../../src/media/port-pairs.ts';

test('only even ports with an odd one above are given, each once', () => {
  const pairs = new PortPairs({ from: 20_001, to: 20_008 });
  expect(pairs.total).toBe(3);
  expect([pairs.take(0), pairs.take(0), pairs.take(0), pairs.take(0)]).toEqual([
    20_002,
    20_004,
    20_006,
    undefined,
  ]);
  expect(pairs.used).toBe(3);
});

test('a freed pair goes to the end of the queue', () => {
  const pairs = new PortPairs({ from: 20_000, to: 20_005 });
  const first = pairs.take(0) as number;
  pairs.release(first, 0);
  expect([pairs.take(60_000), pairs.take(60_000), pairs.take(60_000)]).toEqual([20_002, 20_004, first]);
});

test('when no rested pair is left the oldest is used, but never before 2 s', () => {
  const pairs = new PortPairs({ from: 20_000, to: 20_003 });
  pairs.take(0);
  pairs.take(0);
  pairs.release(20_002, 1000);
  pairs.release(20_000, 1500);
  expect(pairs.take(2999)).toBeUndefined();
  expect(pairs.take(3000)).toBe(20_002);
  expect(pairs.take(3499)).toBeUndefined();
  expect(pairs.take(3500)).toBe(20_000);
});

test('usage is right over many rounds', () => {
  const pairs = new PortPairs({ from: 20_000, to: 20_019 });
  for (let round = 0; round < 100; round++) {
    const taken = [0, 1, 2].map(() => pairs.take(round * 3000) as number);
    expect(new Set(taken).size).toBe(3);
    expect(pairs.used).toBe(3);
    for (const port of taken) pairs.release(port, round * 3000);
    expect(pairs.used).toBe(0);
  }
});

test('a range without a whole pair has none', () => {
  expect(new PortPairs({ from: 20_001, to: 20_002 }).take(0)).toBeUndefined();
});

test('the first pair may be anywhere in the range, and all others follow once', () => {
  const pairs = new PortPairs({ from: 20_000, to: 20_007 }, 0.6);
  expect([0, 1, 2, 3, 4].map(() => pairs.take(0))).toEqual([20_004, 20_006, 20_000, 20_002, undefined]);
});
