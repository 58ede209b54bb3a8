import type { MediaStats } from './media-port.ts';
import { mosOf } from './mos.ts';

/** What RTCP and the E-model say of a leg, as its record keeps it. */
export function conversationQuality(codec: string, stats: MediaStats | undefined) {
  const { packetsReceived = 0, packetsLost = 0, packetsLate = 0, roundTripMs = -1 } = stats ?? {};
  const expected = packetsReceived + packetsLost;
  const loss = expected === 0 ? 0 : (packetsLost + packetsLate) / expected;
  const delayMs = Math.max(0, roundTripMs) / 2;
  return {
    round_trip_ms: roundTripMs < 0 ? null : rounded(roundTripMs, 10),
    peer_packets_lost: stats?.peerPacketsLost ?? 0,
    peer_jitter_ms: rounded(stats?.peerJitterMs ?? 0, 100),
    mos: packetsReceived === 0 ? null : rounded(mosOf({ codec, loss, delayMs }), 100),
  };
}

const rounded = (value: number, parts: number): number => Math.round(value * parts) / parts;
