import { type EndReason, ends } from '../errors.ts';
import { conversationQuality } from '../media/conversation-quality.ts';
import type { MediaStats } from '../media/media-port.ts';
import type { LegFacts } from '../sessions/leg-view.ts';
import type { OpenCallRecord } from '../telemetry/call-record.ts';
import type { LegTimeline } from './leg-timeline.ts';
import type { LinkFigures } from './link-figures.ts';

/** What a leg knows of its own life. Times are wall clock in ms. */
export interface LegLife {
  startedAt: number;
  /** How long it has been up, on the clock that never jumps, ms. */
  upForMs: number;
  userAgent: string | null;
  timeline: LegTimeline;
  /** Q.850, where the peer has told why it ends. */
  peerCause: number | undefined;
  /** What became of the link while the leg was up. */
  link: LinkFigures;
  endReason: EndReason | null;
  sipStatus: number | null;
  keysReceived: number;
  keysSent: number;
}

/** The record of a leg as it stands now. */
export function legRecord(
  leg: LegFacts,
  {
    startedAt,
    upForMs,
    userAgent,
    timeline,
    peerCause,
    link,
    endReason,
    sipStatus,
    keysReceived,
    keysSent,
  }: LegLife,
  stats: MediaStats | undefined,
): OpenCallRecord {
  const { answeredAt, endedAt } = timeline;
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
    user_agent: userAgent,
    codec: leg.codec,
    srtp: leg.srtp,
    started_at: startedAt,
    ringing_at: timeline.ringingAt,
    answered_at: answeredAt,
    acknowledged_at: timeline.acknowledgedAt,
    first_audio_in_at: timeline.firstAudioInAt,
    first_audio_out_at: stats && stats.firstSentAt >= 0 ? stats.firstSentAt : null,
    ended_at: endedAt,
    reason: endReason,
    cause: peerCause ?? (endReason === null ? null : ends[endReason].cause),
    holds: timeline.holds,
    held_seconds: timeline.heldMs / 1000,
    setup_ms: answeredAt === null ? null : Math.max(0, answeredAt - startedAt),
    sip_status: sipStatus,
    duration_seconds: Math.round(upForMs) / 1000,
    packets_received: stats?.packetsReceived ?? 0,
    packets_sent: stats?.packetsSent ?? 0,
    packets_lost: stats?.packetsLost ?? 0,
    packets_late: stats?.packetsLate ?? 0,
    packets_dropped: stats ? packetsDropped(stats) : 0,
    concealed_ms: Math.round(stats?.concealedMs ?? 0),
    rtp_source: stats?.source || null,
    dtmf_received: keysReceived,
    dtmf_sent: keysSent,
    ...conversationQuality(leg.codec, stats),
    // What a stream loses comes late instead: nothing tells how it sounds.
    ...(leg.provider !== 'sip' && { mos: null }),
    link_reconnects: link.reconnects,
    link_resent_ms: Math.round(link.resentMs),
    link_lost_ms: Math.round(link.lostMs),
    link_dropped_ms: Math.round(link.droppedMs),
    link_trimmed_ms: Math.round(link.trimmedMs),
    untranslated_seconds: link.untranslatedMs / 1000,
  };
}

const packetsDropped = (stats: MediaStats): number =>
  stats.packetsDroppedInvalid +
  stats.packetsDroppedBySource +
  stats.packetsDroppedUnauthentic +
  stats.packetsDroppedReplayed +
  stats.packetsDroppedOverrun +
  stats.packetsDroppedUnread;
