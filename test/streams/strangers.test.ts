import { expect, test } from 'vitest';
import { Strangers } from '../../src/streams/strangers.ts';

test('of 500 that show no token the oldest goes for the next, and who has shown one stays', () => {
  const strangers = new Strangers();
  const gone: number[] = [];
  const leave = Array.from({ length: 500 }, (_, i) => strangers.enter(() => void gone.push(i)));
  expect(gone).toEqual([]);
  leave[0]?.();
  leave[0]?.();
  strangers.enter(() => void gone.push(500));
  expect(gone).toEqual([]);
  strangers.enter(() => void gone.push(501));
  strangers.enter(() => void gone.push(502));
  expect(gone).toEqual([1, 2]);
});
