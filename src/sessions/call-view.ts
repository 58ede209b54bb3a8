import type { OpenCallRecord } from '../telemetry/call-record.ts';
import { iso } from './session-view.ts';

/** A leg of a session as `GET /v1/sessions/{id}/calls` shows it: up with its numbers of now, or ended with its record. */
export function callView(call: OpenCallRecord) {
  return {
    id: call.leg_id,
    object: 'call' as const,
    session_id: call.session_id,
    status: statusOf(call),
    role: call.role,
    provider: call.provider ?? 'sip',
    direction: call.direction,
    progress: progressOf(call),
    sip_status: call.sip_status,
    sip_call_id: call.sip_call_id || null,
    carrier_call_id: call.carrier_call_id ?? null,
    from: call.from_uri,
    to: call.to_uri,
    source_address: call.source_address,
    transport: call.transport,
    user_agent: call.user_agent ?? null,
    codec: call.codec === '' ? null : call.codec,
    srtp: call.srtp ?? null,
    started_at: new Date(call.started_at).toISOString(),
    answered_at: iso(call.answered_at),
    ...timelineView(call),
    ended_at: iso(call.ended_at),
    reason: call.reason,
    cause: call.cause ?? null,
    setup_ms: call.setup_ms,
    duration_seconds: call.duration_seconds,
    hold: { count: call.holds ?? 0, seconds: call.held_seconds ?? 0 },
    dtmf: { received: call.dtmf_received ?? 0, sent: call.dtmf_sent ?? 0 },
    quality: {
      packets_received: call.packets_received,
      packets_sent: call.packets_sent,
      packets_lost: call.packets_lost,
      packets_late: call.packets_late,
      packets_dropped: call.packets_dropped,
      jitter_ms: call.jitter_ms,
      concealed_ms: call.concealed_ms ?? 0,
      rtp_source: call.rtp_source ?? null,
      round_trip_ms: call.round_trip_ms,
      peer_packets_lost: call.peer_packets_lost,
      peer_jitter_ms: call.peer_jitter_ms,
      mos: call.mos,
      ...latencyView(call),
    },
    link: linkView(call),
  };
}

/** Steps that a leg of an earlier release did not note are null. */
const timelineView = (call: OpenCallRecord) => ({
  ringing_at: iso(call.ringing_at ?? null),
  acknowledged_at: iso(call.acknowledged_at ?? null),
  first_audio_in_at: iso(call.first_audio_in_at ?? null),
  first_audio_out_at: iso(call.first_audio_out_at ?? null),
});

const linkView = (call: OpenCallRecord) => ({
  reconnects: call.link_reconnects ?? 0,
  resent_ms: call.link_resent_ms ?? 0,
  lost_ms: call.link_lost_ms ?? 0,
  dropped_ms: call.link_dropped_ms ?? 0,
  trimmed_ms: call.link_trimmed_ms ?? 0,
  untranslated_seconds: call.untranslated_seconds ?? 0,
});

/**
 * What the gateway itself adds each way, ms; null where nothing was measured, and of a leg that a release left behind which
 * did not measure it.
 */
export function latencyView(call: OpenCallRecord) {
  return {
    jitter_target_ms: call.jitter_target_ms ?? 0,
    to_pipeline_ms: percentiles(call.to_pipeline_p50_ms, call.to_pipeline_p95_ms, call.to_pipeline_p99_ms),
    from_pipeline_ms: percentiles(
      call.from_pipeline_p50_ms,
      call.from_pipeline_p95_ms,
      call.from_pipeline_p99_ms,
    ),
  };
}

const percentiles = (p50: number | null, p95: number | null, p99: number | null) =>
  p50 == null ? null : { p50, p95, p99 };

function statusOf({ answered_at, ended_at }: OpenCallRecord): 'setting_up' | 'up' | 'ended' {
  if (ended_at !== null) return 'ended';
  return answered_at === null ? 'setting_up' : 'up';
}

/** How far a call that we place has come. */
function progressOf(call: OpenCallRecord): 'dialing' | 'ringing' | null {
  if (call.direction === 'inbound' || statusOf(call) !== 'setting_up') return null;
  return call.sip_status === null ? 'dialing' : 'ringing';
}
