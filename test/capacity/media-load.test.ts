import { expect, test } from 'vitest';
import { MediaLoad } from '../../src/capacity/media-load.ts';
import { LATENCY_BYTES, LatencyHistogram } from '../../src/telemetry/latency-histogram.ts';

function worker(name: string, legs: number) {
  const late = new LatencyHistogram(new SharedArrayBuffer(LATENCY_BYTES));
  const counts = { name, startedAt: 1, legs, busyMs: 500 };
  return { late, counts, read: () => ({ ...counts, late: late.read() }) };
}

test('the load is what has grown since the last look, of the worker with the fewest legs', () => {
  const load = new MediaLoad();
  const [full, empty] = [worker('media-1', 5), worker('media-2', 1)];
  const measure = (now: number) => load.measure([full.read(), empty.read()], now);
  empty.late.add(1000);
  expect(measure(1000)).toEqual({ lateMs: 0, busyPercent: 0 });
  full.counts.busyMs += 100;
  empty.counts.busyMs += 25;
  empty.late.add(9);
  empty.late.add(29);
  const { lateMs, busyPercent } = measure(1100);
  expect(busyPercent).toBe(25);
  expect(lateMs).toBeGreaterThan(19);
  expect(lateMs).toBeLessThan(21);
  expect(measure(1200)).toEqual({ lateMs: 0, busyPercent: 0 });
});

test('a worker that took the place of another begins anew', () => {
  const load = new MediaLoad();
  const one = worker('media-1', 0);
  load.measure([one.read()], 0);
  Object.assign(one.counts, { startedAt: 50, busyMs: 60 });
  expect(load.measure([one.read()], 100)).toEqual({ lateMs: 0, busyPercent: 0 });
  expect(load.measure([], 200)).toEqual({ lateMs: 0, busyPercent: 0 });
});
