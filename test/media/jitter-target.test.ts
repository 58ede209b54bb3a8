import { expect, test } from 'vitest';
import { JitterTarget } from '../../src/media/jitter-target.ts';

/** Packets every 20 ms by the peer's clock, each late by what `delay` says; in order, as the sender sent them. */
function receive(
  target: JitterTarget,
  packets: number,
  delay: (n: number) => number,
  { start = 0, ppm = 0 } = {},
) {
  let before = Number.NaN;
  for (let n = 0; n < packets; n++) {
    const now = start + n * 20 * (1 + ppm / 1e6) + delay(n);
    target.observe(now, now - before - 20);
    before = now;
  }
}

/** Seeded: the same network every time. */
function uniform(seed: number, max: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32) * max;
  };
}

test('knows nothing at first, and comes down to 20 ms in a quiet network', () => {
  const target = new JitterTarget();
  expect(target.ms).toBe(60);
  receive(target, 49, () => 0);
  expect(target.ms).toBe(60);
  receive(target, 100, () => 0);
  expect(target.ms).toBe(20);
});

test.each([
  [15, 20, 30],
  [40, 40, 50],
  [90, 80, 100],
  [150, 140, 160],
  [400, 200, 200],
])('delays of up to %i ms make it %i to %i ms', (max, low, high) => {
  const target = new JitterTarget();
  receive(target, 1000, uniform(7, max));
  expect(target.ms).toBeGreaterThanOrEqual(low);
  expect(target.ms).toBeLessThanOrEqual(high);
});

test('rises within a second or two when the network gets worse, and comes down in less than half a minute', () => {
  const target = new JitterTarget();
  receive(target, 1500, () => 0);
  receive(target, 75, uniform(3, 100), { start: 30_000 });
  expect(target.ms).toBeGreaterThanOrEqual(80);
  receive(target, 1500, () => 0, { start: 31_500 });
  expect(target.ms).toBe(20);
});

test('rare stragglers are not worth waiting for', () => {
  const target = new JitterTarget();
  receive(target, 3000, (n) => (n % 200 === 0 ? 150 : 0));
  expect(target.ms).toBe(20);
});

test.each([-200, 200])('a clock that is off by %i ppm is no jitter, over an hour', (ppm) => {
  const target = new JitterTarget();
  receive(target, 180_000, () => 0, { ppm });
  expect(target.ms).toBe(20);
});

test('a way that has become longer for good is no jitter after a while', () => {
  const target = new JitterTarget();
  receive(target, 6000 * 3, (n) => (n < 3000 ? 0 : 60));
  expect(target.ms).toBe(20);
});

test('a jump of the timeline says nothing of the network', () => {
  const target = new JitterTarget();
  receive(target, 500, (n) => (n < 250 ? 0 : 5000));
  expect(target.ms).toBe(20);
});
