import { expect, test } from 'vitest';
import { Pacer, Schedule, SLOT_MS } from '../../src/media/pacer.ts';

function takeAll(pacer: Pacer, now: number): number[] {
  const slots: number[] = [];
  while (pacer.take(now)) slots.push(pacer.slot);
  return slots;
}

test('slots come one by one, each when it is due and not before', () => {
  const pacer = new Pacer(1000);
  expect(takeAll(pacer, 1000)).toEqual([]);
  expect(pacer.delay(1000)).toBe(5);
  expect(takeAll(pacer, 1004.9)).toEqual([]);
  expect(takeAll(pacer, 1005)).toEqual([1]);
  expect(takeAll(pacer, 1017)).toEqual([2, 3]);
  expect(pacer.delay(1017)).toBe(3);
});

test('three hours of late timers do not drift', () => {
  const start = 12_345.678;
  const hours = 3 * 3_600_000;
  const pacer = new Pacer(start);
  let count = 0;
  let latest = 0;
  // A timer that is never early, and late by 0 to 1.9 ms in no rhythm of 5 ms.
  for (let now = start, n = 0; now < start + hours; n++) {
    now += pacer.delay(now) + (n % 20) / 10;
    for (const slot of takeAll(pacer, now)) {
      count++;
      latest = Math.max(latest, now - (start + slot * SLOT_MS));
    }
  }
  expect(Math.abs(count - hours / SLOT_MS)).toBeLessThanOrEqual(1);
  expect(latest).toBeLessThan(2);
});

test('after a stall at most 100 ms are made up for, and the count goes on where the clock is', () => {
  const pacer = new Pacer(0);
  takeAll(pacer, 5);
  const slots = takeAll(pacer, 1000);
  expect(slots).toHaveLength(20);
  expect(slots.at(-1)).toBe(200);
  expect(takeAll(pacer, 1005)).toEqual([201]);
});

test('a short stall loses no slot', () => {
  const pacer = new Pacer(0);
  takeAll(pacer, 5);
  expect(takeAll(pacer, 100)).toEqual(Array.from({ length: 19 }, (_, i) => i + 2));
});

test('what a stall leaves out is counted, what was due while there was nobody to send for is not', () => {
  const pacer = new Pacer(0);
  takeAll(pacer, 5);
  expect(pacer.lateness(1000)).toBe(990);
  takeAll(pacer, 1000);
  expect(pacer.skipped).toBe(179);
  pacer.resume(60_000);
  expect(takeAll(pacer, 60_010)).toEqual([12_001, 12_002]);
  expect(pacer.skipped).toBe(179);
});

const sizes = (schedule: Schedule<object>): number[] => [0, 1, 2, 3].map((slot) => schedule.at(slot).size);

test('legs are spread evenly over the slots, also after some have left', () => {
  const schedule = new Schedule<object>();
  const legs = Array.from({ length: 10 }, () => ({}));
  for (const leg of legs) schedule.add(leg);
  expect(sizes(schedule).sort()).toEqual([2, 2, 3, 3]);
  for (const leg of schedule.at(1)) schedule.remove(leg);
  const before = sizes(schedule)[1];
  schedule.add({});
  expect(before).toBe(0);
  expect(sizes(schedule)[1]).toBe(1);
});

test.each([
  [4, 50],
  [2, 100],
  [1, 200],
])('a leg with a packet every %i slots sends %i in a second', (period, packets) => {
  const schedule = new Schedule<object>();
  const leg = {};
  schedule.add({});
  schedule.add(leg);
  schedule.setPeriod(leg, period);
  let sent = 0;
  for (let slot = 0; slot < 200; slot++) if (schedule.at(slot).has(leg)) sent++;
  expect(sent).toBe(packets);
  schedule.remove(leg);
  for (let slot = 0; slot < 4; slot++) expect(schedule.at(slot).has(leg)).toBe(false);
});
