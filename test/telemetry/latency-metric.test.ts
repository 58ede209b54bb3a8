import { expect, test } from 'vitest';
import { LATENCY_BYTES, LatencyHistogram } from '../../src/telemetry/latency-histogram.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

test('counts of many calls become one Prometheus histogram per direction, each counted once', async () => {
  const metrics = createMetrics();
  try {
    const call = new LatencyHistogram(new SharedArrayBuffer(LATENCY_BYTES));
    for (const ms of [0.9, 3, 15, 3000]) call.add(ms);
    const first = call.read();
    metrics.pipeline_latency_seconds.add('to', first, undefined);
    call.add(3);
    metrics.pipeline_latency_seconds.add('to', call.read(), first);
    const lines = (await metrics.scrape()).split('\n');
    const value = (series: string) =>
      Number(
        lines.find((line) => line.startsWith(`kallglot_pipeline_latency_seconds_${series} `))?.split(' ')[1],
      );
    expect(lines).toContain('# TYPE kallglot_pipeline_latency_seconds histogram');
    expect(value('bucket{le="0.001",direction="to"}')).toBe(1);
    expect(value('bucket{le="0.004",direction="to"}')).toBe(3);
    expect(value('bucket{le="0.016",direction="to"}')).toBe(4);
    expect(value('bucket{le="1.02",direction="to"}')).toBe(4);
    expect(value('bucket{le="+Inf",direction="to"}')).toBe(5);
    expect(value('count{direction="to"}')).toBe(5);
    expect(value('sum{direction="to"}')).toBeGreaterThan(2);
    expect(value('count{direction="from"}')).toBe(0);
  } finally {
    metrics.close();
  }
});
