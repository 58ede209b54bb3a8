import { expect, test } from 'vitest';
import { steadyClock } from '../src/clock.ts';

test('a steady clock goes on from the time at which it was made, whatever becomes of the wall clock', () => {
  const time = { wall: 1_800_000_000_000, monotonic: 5000 };
  const clock = steadyClock({ now: () => time.wall, monotonic: () => time.monotonic });
  expect(clock.now()).toBe(1_800_000_000_000);
  time.wall -= 3_600_000;
  time.monotonic += 10;
  expect(clock.now()).toBe(1_800_000_000_010);
});
