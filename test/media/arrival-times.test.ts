import { expect, test } from 'vitest';
import { ArrivalTimes } from '../../src/media/arrival-times.ts';

test('the last sample that was read came with the packet that it was in', () => {
  const arrivals = new ArrivalTimes();
  for (let n = 1; n <= 3; n++) arrivals.note(n * 160, n * 20);
  expect(arrivals.before(80)).toBe(20);
  expect(arrivals.before(160)).toBe(20);
  expect(arrivals.before(161)).toBe(40);
  expect(arrivals.before(480)).toBe(60);
  expect(arrivals.before(481)).toBeUndefined();
  arrivals.note(640, 80);
  expect(arrivals.before(500)).toBe(80);
});

test('of a reader that is far behind the oldest is forgotten', () => {
  const arrivals = new ArrivalTimes();
  for (let n = 1; n <= 100; n++) arrivals.note(n, n);
  expect(arrivals.before(1)).toBe(37);
});
