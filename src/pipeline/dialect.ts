import type { AudioFormat, Encoding, SampleRate } from '../audio/format.ts';
import type { DialectName } from '../config/pipeline.ts';
import type { KeyPress } from '../dtmf.ts';
import type { Role, SessionMode } from '../roles.ts';
import type { TranscriptEvent } from './pipeline-link.ts';

/**
 * The port between the link and the languages that pipelines speak: what a dialect can, how its connections are opened,
 * and how messages are written and read. A dialect has no socket and keeps no time; all of them pass one contract suite
 * (`test/pipeline/dialect-contract/`). Source: decisions §6.
 */
export interface Dialect {
  readonly name: DialectName;
  /** One WebSocket for all speakers of a session, or one for each. */
  readonly connections: 'shared' | 'per_speaker';
  /**
   * `sequence`: the receiver drops the numbers that it knows, so what may be lost with a connection is sent again.
   * `none`: it would hear it twice, so it is not sent again, and counts as lost.
   */
  readonly replay: 'sequence' | 'none';
  /** The audio that it takes, and ms of it per message. */
  readonly input: AudioFormat;
  readonly chunkMs: number;
  /**
   * A connection, made anew for every attempt.
   * @param speakers whose speech it carries
   * @param now wall clock, ms
   * @throws PermanentFailure when there is no use in connecting for this session
   */
  connect(session: DialectSession, speakers: readonly Role[], now: number): Conversation;
}

/** The audio that a message of 1 MiB can hold at most. */
export const MAX_AUDIO_BYTES = 768 * 1024;

/** What the pipeline is asked for. */
export interface DialectSession {
  sessionId: string;
  mode: SessionMode;
  sourceLanguage: string | null;
  targetLanguage: string | null;
}

/** Why a connection is of no use, in plain words. */
export interface Failure {
  detail: string;
  /** The next attempt would come to the same, unless somebody sees to it: it is made late. */
  permanent: boolean;
}

/** A failure that is known before anything is sent. */
export class PermanentFailure extends Error {}

/** What is said on one connection; holds what the dialect has to remember of it. Texts are whole WebSocket messages. */
export interface Conversation {
  readonly url: string;
  /** Of the upgrade request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as soon as the WebSocket is open. */
  readonly greeting: readonly string[];
  /** Whether it is ready as soon as it is open, or when a message says so. */
  readonly readyWhenOpen: boolean;
  /** @returns undefined where this is not the time to say it */
  speech(speaker: Role, chunk: SpeechChunk): string | undefined;
  /** @returns the message that is answered with a `pong`; undefined = a ping frame of the WebSocket */
  ping(): string | undefined;
  /** The session is over. @returns undefined where closing says it all */
  end(): string | undefined;
  /** Whether the pipeline answers that, and may go on until it has; else the connection is closed right behind it. */
  readonly answersEnd: boolean;
  /** It has carried all that one connection may: it is closed, and another one follows. */
  readonly isSpent: boolean;
  /** The pipeline has closed it, with this code. @returns whether that is its way to hang up */
  hangsUp(code: number): boolean;
  /** What became of a leg, where the dialect has a word for it. */
  legChange(role: Role, state: LegState): string | undefined;
  /** A party has pressed a key, where the dialect has a word for it. */
  keyPress(speaker: Role, press: KeyPress): string | undefined;
  /** A mark was reached (`played`), or what it stood behind was cleared. */
  markReached(name: string, played: boolean): string | undefined;
  /** Reads a text frame. Never throws: what is wrong with it is in the result. */
  read(frame: Buffer): PipelineMessage;
  /**
   * What has turned out to be said to its end, where the dialect has no word for that; asked after every message, both ways.
   * @param over nothing more will come
   */
  concluded(over: boolean): TranscriptEvent | undefined;
  /** The upgrade was answered with this HTTP status. @returns what that means, where the dialect knows more of it */
  refused(status: number): Failure | undefined;
}

export type LegState = 'joined' | 'left' | 'held' | 'resumed';

export interface SpeechChunk {
  /** From 1, per speaker; audio that was dropped leaves a gap. */
  readonly sequence: number;
  /** Wall clock of the first sample, ms. */
  readonly timestampMs: number;
  /** In the dialect's `input` format; valid until the next call of what it came from. */
  readonly audio: Buffer;
}

export type PipelineMessage =
  | {
      type: 'audio';
      /** Whose speech it translates; in the one-leg modes it may be anything. */
      speaker: string | undefined;
      encoding: Encoding;
      sampleRateHz: SampleRate;
      /** Base64, or the bytes that it stands for; those are valid until the next message is read. */
      payload: string | Buffer;
    }
  | { type: 'ready' }
  | { type: 'pong' }
  | TranscriptEvent
  | { type: 'error'; code: string; message: string }
  /** There is no use in going on with this connection; another one follows. */
  | ({ type: 'failed' } & Failure)
  /** `hangup`: as a party does that has nothing more to say. */
  | { type: 'ended'; reason: string; hangup?: true }
  | { type: 'clear'; speaker: string | undefined }
  | { type: 'mark'; name: string; speaker: string | undefined }
  /** Known, and of no consequence here. */
  | { type: 'noted' }
  /** Of a type that is not known here. */
  | { type: 'unknown' }
  /** Not a message of the dialect, or not as its type has to be. */
  | { type: 'invalid'; problem: string };
