import { expect, test } from 'vitest';
import { ChunkWatch } from '../../src/pipeline/chunk-watch.ts';

/**
 * A party whose packets, of 20 ms, come at these times; chunks are of 100 ms.
 * @returns for each chunk ms from its last packet until it was found, and how often was looked in all
 */
function find(arrivals: readonly number[]) {
  const watch = new ChunkWatch();
  const delays: number[] = [];
  let looks = 0;
  let taken = 0;
  for (let now = 0; now < arrivals.at(-1)! + 100; ) {
    const come = arrivals.filter((at) => at <= now).length - taken;
    const isNew = come >= 5;
    if (isNew) delays.push(now - arrivals[taken + 4]!);
    if (isNew) taken += 5;
    const missingMs = 100 - (isNew ? come - 5 : come) * 20;
    looks++;
    now += Math.max(2, Math.ceil(Math.min(50, watch.looked(now, missingMs, isNew)) / 2) * 2);
  }
  return { delays, looks };
}

const steady = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i * 20);

test('a chunk of a steady party is found at once, and is looked for a few times only', () => {
  const { delays, looks } = find(steady(500));
  expect(delays.length).toBe(100);
  expect(Math.max(...delays.slice(1))).toBeLessThanOrEqual(2);
  expect(looks).toBeLessThan(800);
});

test('with packets that come up to 15 ms late, a chunk is found within 10 ms', () => {
  const { delays } = find(steady(500).map((at, i) => at + ((i * 7) % 16)));
  expect(delays.length).toBe(100);
  expect(Math.max(...delays.slice(1))).toBeLessThanOrEqual(10);
});

test('when packets come at another time from now on, chunks are found at once again soon', () => {
  const { delays } = find([...steady(100), ...steady(400, 2000 - 9)]);
  expect(Math.max(...delays.slice(23))).toBeLessThanOrEqual(2);
});
