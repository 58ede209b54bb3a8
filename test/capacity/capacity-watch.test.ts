import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CapacityWatch } from '../../src/capacity/capacity-watch.ts';
import { LATENCY_BYTES, LatencyHistogram } from '../../src/telemetry/latency-histogram.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const limits = {
  ...{ calls: 4, rtp_ports: 10, event_loop_delay_ms: 200, engine_delay_ms: 800 },
  ...{ media_delay_ms: 40, media_busy_percent: 90, memory_percent: 100 },
};
const metrics = createMetrics();
const node = { calls: 0, ports: 0, lateMs: 0, busyPercent: 0, engineMs: undefined as number | undefined };
/** The counters of a media worker that is as late and as busy as `node` says. */
const worker = { late: new LatencyHistogram(new SharedArrayBuffer(LATENCY_BYTES)), busyMs: 0 };
function mediaWorker() {
  worker.late.add(node.lateMs);
  worker.busyMs += node.busyPercent;
  return { name: 'media-1', startedAt: 0, legs: 1, busyMs: worker.busyMs, late: worker.late.read() };
}
let stalledMs = 0;
let watch: CapacityWatch;

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(node, { calls: 0, ports: 0, lateMs: 0, busyPercent: 0, engineMs: undefined });
  stalledMs = 0;
  watch = new CapacityWatch({
    ...{ limits, metrics, log: createLog('silent') },
    clock: { now: () => 0, monotonic: () => performance.now() + stalledMs },
    calls: () => node.calls,
    portsInUse: () => node.ports,
    mediaWorkers: () => [mediaWorker()],
    engineDelayMs: async () => node.engineMs,
  });
});
afterEach(() => {
  watch.close();
  vi.useRealTimers();
});

test('knows of calls and ports at once', () => {
  node.calls = 4;
  expect(watch.isExhausted()).toBe(true);
  node.calls = 3;
  expect(watch.isExhausted()).toBe(false);
  node.ports = 10;
  expect(watch.report()).toMatchObject({
    calls: { value: 3, limit: 4, exhausted: false },
    rtp_ports: { value: 10, limit: 10, exhausted: true },
  });
});

test.each<[string, Partial<typeof node>]>([
  ['media_delay_ms', { lateMs: 80 }],
  ['media_busy_percent', { busyPercent: 100 }],
  ['engine_delay_ms', { engineMs: 900 }],
])('sees %s within some seconds, and that it is over', async (resource, load) => {
  Object.assign(node, load);
  await vi.advanceTimersByTimeAsync(5000);
  expect(watch.report()).toMatchObject({ [resource]: { exhausted: true } });
  expect(watch.isExhausted()).toBe(true);
  Object.assign(node, { lateMs: 0, busyPercent: 0, engineMs: undefined });
  await vi.advanceTimersByTimeAsync(5000);
  expect(watch.isExhausted()).toBe(false);
});

test('sees a main thread that is late again and again, not one that was once', async () => {
  stalledMs += 30_000;
  await vi.advanceTimersByTimeAsync(100);
  expect(watch.isExhausted()).toBe(false);
  for (let i = 0; i < 30; i++) {
    stalledMs += 300;
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(watch.report()).toMatchObject({ event_loop_delay_ms: { exhausted: true } });
  await vi.advanceTimersByTimeAsync(3000);
  expect(watch.isExhausted()).toBe(false);
});

test('shows every resource in the metrics', async () => {
  node.calls = 4;
  const text = await metrics.scrape();
  expect(text).toContain('kallglot_capacity_used{resource="calls"} 4');
  expect(text).toContain('kallglot_capacity_limit{resource="calls"} 4');
  expect(text).toContain('kallglot_capacity_exhausted{resource="calls"} 1');
  for (const resource of Object.keys(limits))
    expect(text).toContain(`kallglot_capacity_limit{resource="${resource}"}`);
});
