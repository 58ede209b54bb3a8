import type { AudioFormat } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { CodecName } from '../config/codecs.ts';
import type { SrtpSettings } from '../srtp.ts';
import type { LatencyCounts } from '../telemetry/latency-histogram.ts';
import type { Hearing } from './hearing.ts';
import type { OpusSettings } from './opus-settings.ts';

/**
 * What the rest of the gateway sees of a leg's media in a media worker: two rings of audio, and either a pair of UDP ports
 * (`rtp`) or two more rings for a stream that comes by WebSocket (`ring`). The bridge reads and writes the rings; packets,
 * pacing and codecs stay in the worker. Source: decisions §5, architecture "Threads".
 */

type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface TelephoneEvent {
  payloadType: number;
  clockRate: number;
}

/** What offer/answer agreed for one leg. Addresses are numeric, IPv4 or IPv6. */
export interface MediaSettings {
  codec: CodecName;
  /** What the peer wants of the Opus that we send; absent with other codecs. */
  opus?: OpusSettings;
  /** RTP payload type of the codec, the same both ways as answered. */
  payloadType: number;
  /** Payload type of comfort noise (RFC 3389), null when there is none. */
  comfortNoisePayloadType: number | null;
  /** Key presses (RFC 4733): the first is what we send, any may come. Empty: the peer has none. */
  telephoneEvents: readonly TelephoneEvent[];
  /** Where the peer's SDP wants RTP and RTCP; port 0 or an unspecified address means nowhere. */
  remoteAddress: string;
  remotePort: number;
  remoteRtcpPort: number;
  /** Differs from `remoteAddress` only where `a=rtcp` names an address of its own. */
  remoteRtcpAddress: string;
  rtcpMux: boolean;
  /** Our side of it: on `recvonly` and `inactive` nothing is sent. */
  direction: Direction;
  /** The peer put us on hold: it hears nothing, and nothing of it goes to the pipeline. */
  held: boolean;
  /** ms of audio per packet that we send: 20, or less where the peer's `a=maxptime` is below that. */
  ptimeMs: number;
  /** The SDP's address or port differs from before: the source lock may move. False in the first answer. */
  moved: boolean;
  /** Where the peer answers from, when we called it: before its answer that is not known. */
  calleeAddress?: string;
  /** null = plain RTP. Keys that come again reset nothing. */
  srtp: SrtpSettings | null;
}

export interface MediaPortOptions {
  /** Legs of one session share a worker: its session id. */
  affinity: string;
  /** Seconds without RTP and RTCP, or without audio from a stream, until `media_timeout`; 0 = never. */
  timeoutSeconds: number;
  /** What the rings carry each way, whatever the peer speaks; mu-law at 8 kHz when absent. */
  inboundFormat?: AudioFormat;
  outboundFormat?: AudioFormat;
  /** Called on the main thread. */
  onEvent: (event: MediaEvent) => void;
}

export interface RtpPortOptions extends MediaPortOptions {
  /** 4 or 6: which of our addresses the peer's SDP can use. */
  family: 4 | 6;
  /** The caller's address as admission determined it; RTP from there may take the source lock too. Empty: not known. */
  callerAddress: string;
}

/** What the messages of a stream carry both ways: G.711, 8 kHz, mono. */
export type StreamCodec = 'PCMU' | 'PCMA';

export interface RingPortOptions extends MediaPortOptions {
  codec: StreamCodec;
}

export type MediaEvent =
  /** The first valid RTP packet of the leg, or the first audio of its stream; `at` is the wall clock in ms. */
  | { type: 'first_packet'; at: number }
  /** A key was pressed, and is up again. */
  | { type: 'digit'; digit: string; durationMs: number }
  /** No RTP and no RTCP for the port's timeout while the direction was `sendrecv`. */
  | { type: 'media_timeout' }
  /** An error of ours in this leg's media; it is silent from now on. */
  | { type: 'failed' }
  /** The media worker died; the port is gone. */
  | { type: 'worker_lost' };

/**
 * What a media worker counts of one leg since it began; packets unless said otherwise. Of a stream a message counts as a
 * packet, what it hears in pieces of 20 ms; it has no RTCP, and no source.
 */
export interface MediaCounters {
  packetsReceived: number;
  packetsSent: number;
  /** RFC 3550 A.3: expected less received, never below 0. */
  packetsLost: number;
  packetsLate: number;
  packetsDuplicated: number;
  /** Not RTP, unknown payload type, or from a source that the lock refuses. */
  packetsDroppedInvalid: number;
  packetsDroppedBySource: number;
  /** SRTP and SRTCP that the peer's key does not fit: forged, or under another key. */
  packetsDroppedUnauthentic: number;
  /** SRTP and SRTCP that came before, or too late to know. */
  packetsDroppedReplayed: number;
  /** Speech that found the inbound ring full: the main thread did not read for a second; or came too fast. */
  packetsDroppedOverrun: number;
  /** Pieces that a stream was to hear, and nobody took for a second. */
  packetsDroppedUnread: number;
  /** Key presses beyond what anybody presses. */
  digitsDropped: number;
  /** ms of the other party's own voice that came too late, or too much at once, to be heard directly. */
  directDroppedMs: number;
  rtcpReceived: number;
  rtcpSent: number;
  /** From the peer's reports (RFC 3550 §6.4), ms; -1 while none was measured. */
  roundTripMs: number;
  /** What the peer has told that it lost of ours, and the jitter that it sees, in ms. */
  peerPacketsLost: number;
  peerJitterMs: number;
  /** Octets of RTP payload, as RTCP counts them. */
  bytesReceived: number;
  bytesSent: number;
  /** Interarrival jitter, RFC 3550 A.8, in ms. */
  jitterMs: number;
  /** How long a missing packet is waited for now, ms from 20 to 200. */
  jitterTargetMs: number;
  /** ms of speech that were made up for packets that did not come in time. */
  concealedMs: number;
  /** Ticks at which we had nothing to say and sent silence. */
  silencePacketsSent: number;
  /** ms since the last packet of the peer; -1 when none has come. */
  silentForMs: number;
  /** When the first packet or piece went out, wall clock in ms; -1 before. */
  firstSentAt: number;
  /** Errors of the leg's sockets, sends that failed included; none of them ends the leg. */
  socketErrors: number;
  /** The locked source as `address:port`, empty before the lock. */
  source: string;
}

export interface MediaStats extends MediaCounters {
  /**
   * From the arrival of a chunk's last packet to its way out to the pipeline, without what it waited in the jitter buffer
   * for others, as far as that is within `jitterTargetMs`.
   */
  toPipeline: LatencyCounts;
  /**
   * From the arrival of a message of the pipeline to the next tick of the leg, at which it may leave if no audio is before
   * it: what it waits for that is not the gateway's.
   */
  fromPipeline: LatencyCounts;
  /** From the arrival of what the other party says to the packet that carries it to this one, where it is heard directly. */
  direct: LatencyCounts;
}

/** The media of a leg, whatever carries it. */
export interface MediaPort {
  /** What the party says, continuous in time: losses are made up, pauses are filled. Read it here. */
  readonly inbound: AudioRing;
  /** What the party is to hear. Write it here; an empty ring is sent as silence. */
  readonly outbound: AudioRing;
  /** What the party hears from now on; valid at any time. At first it is the translation alone. */
  hear(hearing: Hearing): void;
  /** The party hears from now on: sending starts. With a SIP leg the ACK came. */
  startSending(): void;
  stats(): MediaStats;
  /** Frees what it holds, idempotent. Resolves when its sockets are closed, with the last counters. */
  close(): Promise<MediaStats>;
}

/** Media over a pair of UDP ports. */
export interface RtpPort extends MediaPort {
  /** What goes into the SDP: `media.advertised_address` or the local address, and the even port. */
  readonly address: string;
  readonly rtpPort: number;
  /** Applies negotiated media, at the start and after every re-INVITE. Until the first call nothing is received. */
  configure(settings: MediaSettings): void;
  /**
   * Presses keys at the peer's end, as the first of its telephone events; one run at a time. Speech waits meanwhile.
   * @param digits `0` to `9`, `*`, `#`, `A` to `D`
   * @param durationMs how long each is down, at most 1000
   * @param gapMs how long each is up, at least 40
   * @returns how many were pressed: fewer when the peer cannot be sent anything any more
   */
  press(digits: string, durationMs: number, gapMs: number): Promise<number>;
}

/** Media of a party whose audio comes and goes as messages on the main thread; it needs no UDP ports. */
export interface RingPort extends MediaPort {
  /**
   * The party says this: a message of any length, in the port's codec, in the order in which it was said and as soon as it
   * comes. Bursts, jitter and pauses are the worker's to even out; of what is more than a second ahead of time speech is
   * dropped and counted. The bytes are copied.
   */
  say(audio: Uint8Array): void;
  /**
   * What the party hears, in the port's codec, in pieces of 20 ms (160 bytes) that come when they are due, paced by the
   * worker; to be read every 20 ms or so. While there is nothing to hear no piece comes, so that a player that has fallen
   * behind catches up in a pause. It holds a second; what finds it full is dropped and counted.
   */
  readonly heard: AudioRing;
  /** The party is on hold from now on, or not any more: it hears nothing, and nothing of it goes to anybody. */
  hold(held: boolean): void;
}

/** What a media worker has done since it was started. */
export interface MediaWorkerStats {
  /** `media-1`; one that takes the place of another has its name. */
  readonly name: string;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** Open now, or being opened. */
  readonly legs: number;
  /** ms for which the thread was busy: that of a second is its load. */
  readonly busyMs: number;
  /** How late it woke to send what was due. */
  readonly late: LatencyCounts;
  /** Ticks of 5 ms that were never sent for, after a stall. */
  readonly skippedTicks: number;
}

/** Pairs of RTP ports. */
export interface PortUsage {
  used: number;
  total: number;
  /** From so many in use on, only legs whose session is here already get one. */
  forNewSessions: number;
}

export interface MediaPool {
  /**
   * Takes a pair of ports in a worker and binds it.
   * @throws Refusal `no_media_ports` when no pair is free (decisions §5, resting times included)
   */
  open(options: RtpPortOptions): Promise<RtpPort>;
  /**
   * Takes a place in a worker for a stream.
   * @throws Refusal `no_media_ports` when no worker is running
   */
  openRing(options: RingPortOptions): Promise<RingPort>;
  /** Pairs in use and pairs in the range, for metrics and `/readyz`. */
  usage(): PortUsage;
  /** Of the workers that run. */
  workers(): MediaWorkerStats[];
  /** Workers that have ended by themselves so far. */
  readonly deaths: number;
  close(): Promise<void>;
}
