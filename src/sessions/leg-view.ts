import type { KeyPress } from '../dtmf.ts';
import type { LegId, SessionId } from '../ids.ts';
import type { Provider } from '../providers.ts';
import type { Role } from '../roles.ts';
import type { CallRecord } from '../telemetry/call-record.ts';
import { latencyView } from './call-view.ts';

/** What is told of a leg in events and in the API (decisions §8). */
export interface LegFacts {
  id: LegId;
  sessionId: SessionId;
  organizationId: string;
  role: Role;
  /** What carries it, which need not be what carries the other leg of its session. */
  provider: Provider;
  direction: 'inbound' | 'outbound';
  /** Of SIP; null where there is none. */
  callId: string | null;
  /** What a carrier calls it (Twilio's call SID, Telnyx' call control id); null where there is none. */
  carrierCallId: string | null;
  /** A SIP URI, or a number; empty where nobody is named. */
  from: string;
  to: string;
  /** Of an outbound leg the callee's, empty before it has answered in any way. */
  sourceAddress: string;
  /** `udp`, `tcp`, `tls` with SIP; `ws` and `wss` of streams. */
  transport: string;
  codec: string;
  /** The SRTP suite, null for plain RTP. */
  srtp: string | null;
  /** The `X-` headers of the INVITE. */
  headers: Readonly<Record<string, string>>;
}

/** Legs that an earlier release has kept as open were all SIP's. */
export const providerOf = (leg: LegFacts): Provider => leg.provider ?? 'sip';

export function legView(leg: LegFacts) {
  return {
    id: leg.id,
    role: leg.role,
    direction: leg.direction,
    sip_call_id: leg.callId,
    carrier_call_id: leg.carrierCallId ?? null,
    from: leg.from,
    to: leg.to,
    source_address: leg.sourceAddress,
    transport: leg.transport,
    codec: leg.codec,
    srtp: leg.srtp ?? null,
    headers: leg.headers,
  };
}

/** `data` of `session.provider.disconnected`. Round trip and MOS are null where nothing has measured them. */
export function disconnectedData(call: CallRecord, leg: LegFacts) {
  return {
    session_id: leg.sessionId,
    provider: providerOf(leg),
    leg: legView(leg),
    connected_at: new Date(call.answered_at ?? call.started_at).toISOString(),
    reason: call.reason,
    duration_seconds: call.duration_seconds,
    quality: {
      packets_received: call.packets_received,
      packets_lost: call.packets_lost,
      jitter_ms: call.jitter_ms,
      round_trip_ms: call.round_trip_ms,
      mos: call.mos,
      ...latencyView(call),
    },
  };
}

/** `data` of `session.dtmf`. */
export function keyPressData(leg: LegFacts, { digit, durationMs, method }: KeyPress, at: number) {
  return {
    session_id: leg.sessionId,
    provider: providerOf(leg),
    leg: legView(leg),
    digit,
    duration_ms: durationMs,
    method,
    pressed_at: new Date(at).toISOString(),
  };
}

/** `data` of `session.dial.ringing`. */
export function ringingData(leg: LegFacts, sipStatus: number | null, at: number) {
  const ringingAt = new Date(at).toISOString();
  return {
    session_id: leg.sessionId,
    provider: providerOf(leg),
    leg: legView(leg),
    sip_status: sipStatus,
    ringing_at: ringingAt,
  };
}

/** `data` of `session.dial.failed`. */
export function dialFailedData(call: CallRecord, leg: LegFacts) {
  const failedAt = new Date(call.ended_at).toISOString();
  const { reason, sip_status } = call;
  return {
    session_id: leg.sessionId,
    provider: providerOf(leg),
    leg: legView(leg),
    reason,
    sip_status,
    failed_at: failedAt,
  };
}
