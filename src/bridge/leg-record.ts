import type { EndReason } from '../errors.ts';
import { conversationQuality } from '../media/conversation-quality.ts';
import type { MediaStats } from '../media/media-port.ts';
import type { LegFacts } from '../sessions/leg-view.ts';
import type { OpenCallRecord } from '../telemetry/call-record.ts';

/** What a leg knows of its own life. Times are wall clock in ms. */
export interface LegLife {
  startedAt: number;
  answeredAt: number | null;
  /** How long it has been up, on the clock that never jumps, ms. */
  upForMs: number;
  endedAt: number | null;
  endReason: EndReason | null;
  sipStatus: number | null;
  keysReceived: number;
  keysSent: number;
}

/** The record of a leg as it stands now. */
export function legRecord(
  leg: LegFacts,
  { startedAt, answeredAt, upForMs, endedAt, endReason, sipStatus, keysReceived, keysSent }: LegLife,
  stats: MediaStats | undefined,
): OpenCallRecord {
  return {
    leg_id: leg.id,
    session_id: leg.sessionId,
    organization_id: leg.organizationId,
    role: leg.role,
    provider: leg.provider,
    direction: leg.direction,
    sip_call_id: leg.callId ?? '',
    carrier_call_id: leg.carrierCallId,
    from_uri: leg.from,
    to_uri: leg.to,
    source_address: leg.sourceAddress,
    transport: leg.transport,
    codec: leg.codec,
    srtp: leg.srtp,
    started_at: startedAt,
    answered_at: answeredAt,
    ended_at: endedAt,
    reason: endReason,
    setup_ms: answeredAt === null ? null : Math.max(0, answeredAt - startedAt),
    sip_status: sipStatus,
    duration_seconds: Math.round(upForMs) / 1000,
    packets_received: stats?.packetsReceived ?? 0,
    packets_sent: stats?.packetsSent ?? 0,
    packets_lost: stats?.packetsLost ?? 0,
    packets_late: stats?.packetsLate ?? 0,
    packets_dropped: stats ? packetsDropped(stats) : 0,
    jitter_ms: stats?.jitterMs ?? 0,
    dtmf_received: keysReceived,
    dtmf_sent: keysSent,
    ...conversationQuality(leg.codec, stats),
    // What a stream loses comes late instead: nothing tells how it sounds.
    ...(leg.provider !== 'sip' && { mos: null }),
  };
}

const packetsDropped = (stats: MediaStats): number =>
  stats.packetsDroppedInvalid +
  stats.packetsDroppedBySource +
  stats.packetsDroppedUnauthentic +
  stats.packetsDroppedReplayed +
  stats.packetsDroppedOverrun +
  stats.packetsDroppedUnread;
