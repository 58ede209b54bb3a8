import { expect, test } from 'vitest';
import { latencyView } from '../../src/sessions/call-view.ts';
import type { OpenCallRecord } from '../../src/telemetry/call-record.ts';

test('what the gateway adds is told by its percentiles, and is null where nothing was measured', () => {
  const measured = {
    ...{ jitter_target_ms: 40, to_pipeline_p50_ms: 1.5, to_pipeline_p95_ms: 3, to_pipeline_p99_ms: 4 },
    ...{ from_pipeline_p50_ms: null, from_pipeline_p95_ms: null, from_pipeline_p99_ms: null },
  } as OpenCallRecord;
  expect(latencyView(measured)).toEqual({
    jitter_target_ms: 40,
    to_pipeline_ms: { p50: 1.5, p95: 3, p99: 4 },
    from_pipeline_ms: null,
  });
});

test('a leg that an earlier release left behind has none', () => {
  const old = JSON.parse('{"leg_id":"leg_1"}') as OpenCallRecord;
  expect(latencyView(old)).toEqual({ jitter_target_ms: 0, to_pipeline_ms: null, from_pipeline_ms: null });
});
