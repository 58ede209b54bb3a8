import { expect, test } from 'vitest';
import { ReplayWindow } from '../../src/media/replay-window.ts';

test('everything is new before the first', () => {
  const window = new ReplayWindow();
  expect(window.highest).toBe(-1);
  expect(window.isNew(0)).toBe(true);
  expect(window.isNew(0xffff_ffff_ffff)).toBe(true);
});

test('what was added is not new, in whatever order it came', () => {
  const window = new ReplayWindow();
  for (const index of [100, 102, 101, 105]) window.add(index);
  expect([100, 101, 102, 105].map((index) => window.isNew(index))).toEqual([false, false, false, false]);
  expect([99, 103, 104, 106].map((index) => window.isNew(index))).toEqual([true, true, true, true]);
  expect(window.highest).toBe(105);
});

test('64 packets back a late one can still be told from a repeated one; far back nobody can, and none is new', () => {
  const window = new ReplayWindow();
  window.add(936);
  window.add(1000);
  expect(window.isNew(936)).toBe(false);
  expect(window.isNew(937)).toBe(true);
  expect(window.isNew(1000 - 128)).toBe(false);
  window.add(5000);
  expect(window.isNew(937)).toBe(false);
  expect(window.isNew(4999)).toBe(true);
});

test('indices beyond 32 bits are told apart', () => {
  const window = new ReplayWindow();
  const index = 0x1_0000_0000 + 5;
  window.add(5);
  window.add(index);
  expect(window.isNew(index)).toBe(false);
  expect(window.isNew(index - 1)).toBe(true);
  expect(window.isNew(5)).toBe(false);
});
