import type { EndReason } from '../errors.ts';
import type { LegId, SessionId } from '../ids.ts';
import type { Provider } from '../providers.ts';
import type { Role } from '../roles.ts';

/**
 * What is kept of a leg once it has ended: one JSON line in the log and one row in the store.
 * The table `call_records` has these columns. Times are wall clock in ms.
 */
export interface CallRecord {
  leg_id: LegId;
  session_id: SessionId;
  organization_id: string;
  role: Role;
  /** What carried it. */
  provider: Provider;
  /** `outbound` for a call that we placed. */
  direction: 'inbound' | 'outbound';
  /** Empty where there was no SIP. */
  sip_call_id: string;
  /** What the carrier calls it, where the leg was a stream of one. */
  carrier_call_id: string | null;
  from_uri: string;
  to_uri: string;
  source_address: string;
  transport: string;
  /** What the other end calls itself; null where it did not say. */
  user_agent: string | null;
  codec: string;
  /** The SRTP suite, null for plain RTP. */
  srtp: string | null;
  started_at: number;
  /** The first 180 or 183: ours, or the callee's. */
  ringing_at: number | null;
  answered_at: number | null;
  acknowledged_at: number | null;
  /** The first packet each way. */
  first_audio_in_at: number | null;
  first_audio_out_at: number | null;
  ended_at: number;
  reason: EndReason;
  /** Q.850: what the peer's BYE says, else what ours did. */
  cause: number | null;
  /** How often, and for how long, the peer had the call on hold. */
  holds: number;
  held_seconds: number;
  /** From the INVITE to the 200, ms; null when it was never answered. */
  setup_ms: number | null;
  /** Of an outbound call: the last status that its INVITE got, or that stands for it (408, 503); null = none. */
  sip_status: number | null;
  duration_seconds: number;
  packets_received: number;
  packets_sent: number;
  packets_lost: number;
  packets_late: number;
  packets_dropped: number;
  jitter_ms: number;
  /** Speech that was made up for what did not come in time. */
  concealed_ms: number;
  /** Where RTP came from, `address:port`. */
  rtp_source: string | null;
  /** Keys that the party has pressed (DTMF), and that we have pressed there. */
  dtmf_received: number;
  dtmf_sent: number;
  /** By RTCP; null where nothing has measured it. */
  round_trip_ms: number | null;
  /** What the peer says that it lost of our packets, and the jitter that it sees. */
  peer_packets_lost: number;
  peer_jitter_ms: number;
  /** How the party sounded to us, 1 to 4.5 (E-model, ITU-T G.107); null before its first packet. */
  mos: number | null;
  /** How long a missing packet was waited for at last. */
  jitter_target_ms: number;
  /** What the gateway itself adds, ms; null where nothing was measured. From a chunk's last packet to the pipeline. */
  to_pipeline_p50_ms: number | null;
  to_pipeline_p95_ms: number | null;
  to_pipeline_p99_ms: number | null;
  /** From a message of the pipeline to the next packet that may carry it. */
  from_pipeline_p50_ms: number | null;
  from_pipeline_p95_ms: number | null;
  from_pipeline_p99_ms: number | null;
  /** Of the link to the pipeline while the leg was up; both legs of a session share one. How often it came back. */
  link_reconnects: number;
  /** Speech that it got once more, that it never got, and audio that a bound dropped, either way. */
  link_resent_ms: number;
  link_lost_ms: number;
  link_dropped_ms: number;
  /** Silence taken out of late playout. */
  link_trimmed_ms: number;
  untranslated_seconds: number;
}

/** The same of a leg that may still be up: then it has no end yet, and its numbers are those of now. */
export type OpenCallRecord = Omit<CallRecord, 'ended_at' | 'reason'> & {
  ended_at: number | null;
  reason: EndReason | null;
};
