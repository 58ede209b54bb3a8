import { expect, test } from 'vitest';
import { MediaTimeout } from '../../src/media/media-timeout.ts';

test('reports once when nothing came for the limit', () => {
  const timeout = new MediaTimeout(1000);
  timeout.restart(0, true);
  timeout.alive(500);
  expect(timeout.expired(1499)).toBe(false);
  expect(timeout.expired(1500)).toBe(true);
  expect(timeout.expired(9999)).toBe(false);
});

test('rests while nothing is expected, and starts anew when it is again', () => {
  const timeout = new MediaTimeout(1000);
  timeout.restart(0, false);
  expect(timeout.expired(100_000)).toBe(false);
  timeout.restart(100_000, true);
  expect(timeout.expired(100_999)).toBe(false);
  expect(timeout.expired(101_000)).toBe(true);
});

test('a limit of 0 never ends anything, and before negotiation nothing runs', () => {
  const never = new MediaTimeout(0);
  never.restart(0, true);
  expect(never.expired(1e9)).toBe(false);
  expect(new MediaTimeout(1).expired(1e9)).toBe(false);
});
