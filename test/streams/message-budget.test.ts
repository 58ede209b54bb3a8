import { expect, test } from 'vitest';
import { MessageBudget } from '../../src/streams/message-budget.ts';

test('two parties at once, in pieces of 20 ms, for a minute: far within it', () => {
  const budget = new MessageBudget(0);
  for (let ms = 0; ms < 60_000; ms += 10) expect(budget.take(330, ms)).toBe(true);
});

test('a message of 1 MiB is taken, and the third at once is too much', () => {
  const budget = new MessageBudget(0);
  const sizes = [1_048_576, 1_048_576, 1_048_576];
  expect(sizes.map((bytes) => budget.take(bytes, 0))).toEqual([true, true, false]);
});

test('so are many small ones: what may come at once, and then what a second allows', () => {
  const budget = new MessageBudget(0);
  const taken = (now: number) =>
    Array.from({ length: 2000 }, () => budget.take(20, now)).filter(Boolean).length;
  expect(taken(0)).toBe(1000);
  const idle = new MessageBudget(0);
  for (let i = 0; i < 1000; i++) idle.take(20, 0);
  const second = Array.from({ length: 2000 }, () => idle.take(20, 1000)).filter(Boolean).length;
  expect(second).toBe(500);
});
