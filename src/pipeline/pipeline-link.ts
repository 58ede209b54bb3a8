import type { AudioFormat } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { DialectName } from '../config/pipeline.ts';
import type { KeyPress } from '../dtmf.ts';
import type { Role, SessionMode } from '../roles.ts';

/**
 * The port between a bridge and the translation pipeline: one WebSocket per bridge, whatever dialect it speaks.
 * Source: decisions §6.
 */

/** While a link is down for longer than this, its parties hear each other, where that is wanted. */
export const PASSTHROUGH_AFTER_MS = 1000;

/** The two rings of a leg, as the link uses them. */
export interface LegAudio {
  /** What the party says, in the format that the dialect takes. */
  readonly inbound: AudioRing;
  /** What the party is to hear: mu-law, 8 kHz, mono. */
  readonly outbound: AudioRing;
}

export interface LinkOptions {
  sessionId: string;
  /** Whose pipeline it is: an organization may have one of its own. */
  organizationId: string;
  mode: SessionMode;
  sourceLanguage: string | null;
  targetLanguage: string | null;
  /** Never given up: `open` waits for as long as it takes, `lost` does not come, and what is queued goes stale. */
  keepTrying?: boolean;
  onEvent: (event: LinkEvent) => void;
}

/** `connecting`: not ready yet; `down`: lost, and being opened again; `over`: there is nothing more to come. */
export type LinkState = 'connecting' | 'up' | 'down' | 'over';

export type LinkEvent =
  /** It was ready and is not: closed, reset, or a `ping` unanswered for 3 s. It is being opened again. */
  | { type: 'down'; detail: string }
  /**
   * Ready again. `resentMs` is speech that the pipeline may have got before and gets again, `lostMs` speech of this
   * outage that it never gets.
   */
  | { type: 'up'; outageMs: number; resentMs: number; lostMs: number }
  /** It is not there, and an attempt to open it, or to open it again, came to nothing. Told where it is kept trying. */
  | { type: 'failed'; detail: string }
  /** Given up: it was down for longer than `pipeline.reconnect_seconds`. */
  | { type: 'lost'; detail: string }
  /** The pipeline ended the session by itself (`session.ended`), or has hung up. */
  | { type: 'ended'; reason: string; hangup?: true }
  /** The pipeline complained (`session.error`); the link stays. */
  | { type: 'error'; code: string; message: string }
  | TranscriptEvent;

/** What the pipeline has understood of somebody's speech, so far or finally; what it does not tell is undefined. */
export interface TranscriptEvent {
  type: 'transcript';
  final: boolean;
  /** Its own id of the segment: a final that it sends once more, after a reconnect, has the same. */
  id: string | undefined;
  /** `customer`, `agent`, or whatever else it calls who speaks. */
  speaker: string;
  language: string | undefined;
  text: string;
  translation: { language: string | undefined; text: string } | undefined;
}

export interface LinkStats {
  chunksSent: number;
  bytesSent: number;
  outputsReceived: number;
  bytesReceived: number;
  /** ms of audio, both ways, that a bound dropped while the link was up. */
  inputDroppedMs: number;
  outputDroppedMs: number;
  /** ms of silence taken out of the playout queue while it ran late. */
  trimmedMs: number;
  /** Frames that were not JSON, not of the dialect, or too large. */
  invalidFrames: number;
  unknownFrames: number;
  /** Complaints of the pipeline, after which the link went on. */
  errors: number;
  /** Round trip of the last answered ping, ms; -1 before the first. */
  pingMs: number;
  /** ms of audio waiting to be played, over all legs. */
  queuedMs: number;
  /** How often it was ready again after an outage, and for how long it was not, ms. */
  reconnects: number;
  downMs: number;
  /** ms of speech that was sent again, and that no reconnect came in time for (or that could not be sent again). */
  resentMs: number;
  lostMs: number;
}

export interface PipelineLink {
  readonly dialect: DialectName;
  readonly state: LinkState;
  /**
   * Connects and waits until the pipeline is ready. Once it was, the link opens itself again when it is lost.
   * @param signal gives up while it is being opened
   * @throws Refusal `pipeline_unavailable` when that takes longer than 5 s or the pipeline refuses, unless `keepTrying`
   */
  open(signal: AbortSignal): Promise<void>;
  /** A leg joins: its speech goes to the pipeline, and what is meant for its role comes to it. */
  attach(role: Role, audio: LegAudio): void;
  /** A leg is gone: what is queued for it is dropped. */
  detach(role: Role): void;
  /** The party hears from now on: silence that has queued up before is left out. */
  startPlaying(role: Role): void;
  /** On hold a leg sends nothing to the pipeline and hears nothing. */
  setHeld(role: Role, held: boolean): void;
  /** A party has pressed a key; told where the extensions are on. */
  keyPressed(role: Role, press: KeyPress): void;
  stats(): LinkStats;
  /** Sends `session.end` when `ended`, closes the socket, idempotent; never waits for the peer for more than 1 s. */
  close(ended: boolean): Promise<void>;
}

export interface PipelineLinks {
  /** What the pipeline of an organization is to get of its parties' speech. */
  inputFormat(organizationId: string): AudioFormat;
  create(options: LinkOptions): PipelineLink;
  close(): Promise<void>;
}
