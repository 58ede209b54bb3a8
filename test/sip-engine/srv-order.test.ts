import { expect, it } from 'vitest';
import { inTryingOrder } from '../../src/sip-engine/srv-order.ts';

const record = (name: string, priority: number, weight: number) => ({ name, port: 5060, priority, weight });
const names = (records: readonly { name: string }[]): string => records.map(({ name }) => name).join('');

/** Numbers that look random and are the same in each run. */
function seeded(): () => number {
  let state = 12_345;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

it('takes the lowest priority number first', () => {
  const records = [record('c', 30, 9), record('a', 10, 0), record('b', 20, 0)];
  expect(names(inTryingOrder(records, () => 0.5))).toBe('abc');
});

it('draws by running sums, those of weight 0 in front', () => {
  const records = [record('a', 1, 10), record('b', 1, 0), record('c', 1, 30)];
  // Marks 0 to 40: 0 is b, 1 to 10 is a, 11 to 40 is c.
  expect(names(inTryingOrder(records, () => 0))).toBe('bac');
  expect(names(inTryingOrder(records, () => 1 / 41))).toBe('abc');
  expect(names(inTryingOrder(records, () => 10.9 / 41))).toBe('acb');
  expect(names(inTryingOrder(records, () => 0.999))).toBe('cab');
});

it('spreads calls by weight', () => {
  const random = seeded();
  const records = [record('a', 1, 60), record('b', 1, 20), record('c', 1, 20)];
  const first: Record<string, number> = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 10_000; i++) first[inTryingOrder(records, random)[0]!.name]! += 1;
  expect(first.a! / 10_000).toBeCloseTo(0.6, 1);
  expect(first.b! / 10_000).toBeCloseTo(0.2, 1);
  expect(first.c! / 10_000).toBeCloseTo(0.2, 1);
});

it('gives each record once, and no more than 32 of them', () => {
  const records = Array.from({ length: 20 }, (_, i) => record(`${i} `, 1, i));
  expect(new Set(inTryingOrder(records, seeded())).size).toBe(20);
  const many = Array.from({ length: 1_000 }, (_, i) => record(`${i}`, i % 3, 1));
  expect(inTryingOrder(many, seeded())).toHaveLength(32);
});
