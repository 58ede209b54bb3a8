import type { AudioFormat } from '../audio/format.ts';
import type { LegHearing } from './hearing.ts';
import type { MediaSettings, StreamCodec } from './media-port.ts';
import type { SocketsKind } from './udp-pair.ts';

/**
 * The messages between the media pool (main thread) and a media worker. None is per packet: audio goes through the
 * rings, counters through the stats block. Legs are named by a number that the pool counts up.
 */

/** What a worker is started with. */
export interface WorkerData {
  /** Of its `WorkerClock`. */
  clock: SharedArrayBuffer;
  /** What is wanted; undefined for the cheapest that there is. */
  sockets: SocketsKind | undefined;
  /** Of its `OpenFiles`. */
  files: SharedArrayBuffer;
}

/** What a worker needs to run a leg. */
interface LegSetup {
  leg: number;
  timeoutSeconds: number;
  inbound: SharedArrayBuffer;
  inboundFormat: AudioFormat;
  outbound: SharedArrayBuffer;
  outboundFormat: AudioFormat;
  stats: SharedArrayBuffer;
}

export interface RtpLegSetup extends LegSetup {
  kind: 'rtp';
  /** The local address to bind, and the even port of the pair. */
  address: string;
  rtpPort: number;
  callerAddress: string;
}

export interface RingLegSetup extends LegSetup {
  kind: 'ring';
  codec: StreamCodec;
  said: SharedArrayBuffer;
  heard: SharedArrayBuffer;
}

export type ToWorker =
  | { type: 'open'; setup: RtpLegSetup | RingLegSetup }
  | { type: 'configure'; leg: number; settings: MediaSettings }
  | { type: 'hold'; leg: number; held: boolean }
  | { type: 'hear'; leg: number; hearing: LegHearing }
  | { type: 'start'; leg: number }
  | { type: 'press'; leg: number; digits: string; durationMs: number; gapMs: number }
  | { type: 'close'; leg: number };

export type FromWorker =
  /** The worker runs, with these sockets; its first message. */
  | { type: 'ready'; sockets: SocketsKind }
  | { type: 'opened'; leg: number }
  /** The pair could not be bound; `code` as the system gives it (`EADDRINUSE`). */
  | { type: 'open_failed'; leg: number; code: string; detail: string }
  | { type: 'closed'; leg: number }
  | { type: 'first_packet'; leg: number; at: number }
  | { type: 'digit'; leg: number; digit: string; durationMs: number }
  /** The run of key presses is over; so many of its keys were pressed. */
  | { type: 'digits_pressed'; leg: number; count: number }
  | { type: 'media_timeout'; leg: number }
  /** The leg is to hear one that is not in its worker; it hears silence instead. */
  | { type: 'unheard'; leg: number }
  /** An error of ours in the leg's code; it does nothing any more. */
  | { type: 'failed'; leg: number; detail: string };
