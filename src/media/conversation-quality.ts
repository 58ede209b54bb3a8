import { noLatency, percentilesOf } from '../telemetry/latency-histogram.ts';
import type { MediaStats } from './media-port.ts';
import { mosOf } from './mos.ts';

/** What RTCP and the E-model say of a leg, and how long the gateway keeps its audio, as its record keeps it. */
export function conversationQuality(codec: string, stats: MediaStats | undefined) {
  const { packetsReceived = 0, packetsLost = 0, packetsLate = 0, roundTripMs = -1 } = stats ?? {};
  const expected = packetsReceived + packetsLost;
  const loss = expected === 0 ? 0 : (packetsLost + packetsLate) / expected;
  const [to, from] = [stats?.toPipeline, stats?.fromPipeline].map((counts) =>
    percentilesOf(counts ?? noLatency),
  );
  const delayMs = Math.max(0, roundTripMs) / 2;
  return {
    jitter_ms: rounded(stats?.jitterMs ?? 0, 100),
    round_trip_ms: roundTripMs < 0 ? null : rounded(roundTripMs, 10),
    peer_packets_lost: stats?.peerPacketsLost ?? 0,
    peer_jitter_ms: rounded(stats?.peerJitterMs ?? 0, 100),
    mos: packetsReceived === 0 ? null : rounded(mosOf({ codec, loss, delayMs }), 100),
    jitter_target_ms: stats?.jitterTargetMs ?? 0,
    to_pipeline_p50_ms: to?.p50 ?? null,
    to_pipeline_p95_ms: to?.p95 ?? null,
    to_pipeline_p99_ms: to?.p99 ?? null,
    from_pipeline_p50_ms: from?.p50 ?? null,
    from_pipeline_p95_ms: from?.p95 ?? null,
    from_pipeline_p99_ms: from?.p99 ?? null,
  };
}

const rounded = (value: number, parts: number): number => Math.round(value * parts) / parts;
