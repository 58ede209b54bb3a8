import { expect, test } from 'vitest';
import {
  LATENCY_BYTES,
  LatencyHistogram,
  noLatency,
  percentilesOf,
} from '../../src/telemetry/latency-histogram.ts';

const histogram = () => new LatencyHistogram(new SharedArrayBuffer(LATENCY_BYTES));

test('percentiles are at most 10 % above what was counted, and never below it', () => {
  const counted = histogram();
  for (let i = 1; i <= 1000; i++) counted.add(i / 10);
  const { p50, p95, p99 } = percentilesOf(counted.read()) ?? { p50: 0, p95: 0, p99: 0 };
  for (const [found, true_] of [
    [p50, 50],
    [p95, 95],
    [p99, 99],
  ] as const) {
    expect(found).toBeGreaterThanOrEqual(true_);
    expect(found).toBeLessThanOrEqual(true_ * 1.1);
  }
});

test('of nothing there are no percentiles', () => {
  expect(percentilesOf(histogram().read())).toBeNull();
  expect(percentilesOf(noLatency)).toBeNull();
});

test('what is at once, before its time, or takes minutes is counted at the ends of the scale', () => {
  const counted = histogram();
  for (const ms of [0, -3, 0.1]) counted.add(ms);
  expect(percentilesOf(counted.read())).toEqual({ p50: 0.13, p95: 0.13, p99: 0.13 });
  for (let i = 0; i < 300; i++) counted.add(120_000);
  expect(percentilesOf(counted.read())?.p50).toBeGreaterThan(2000);
});

test('what one thread has counted another reads; what was read stays as it was', () => {
  const buffer = new SharedArrayBuffer(LATENCY_BYTES);
  const counted = new LatencyHistogram(buffer);
  counted.add(10);
  const before = new LatencyHistogram(buffer).read();
  counted.add(500);
  expect(percentilesOf(before)?.p99).toBeLessThan(11);
  expect(percentilesOf(new LatencyHistogram(buffer).read())?.p99).toBeGreaterThan(499);
});
