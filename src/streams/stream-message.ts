import type { Carrier } from '../providers.ts';
import type { Role } from '../roles.ts';

/** What a party's client says on its WebSocket, whichever kind of client it is; read from JSON by one file per kind. */
export type StreamMessage =
  /** Speech: base64 of mono G.711 at 8 kHz, in the codec that is agreed. */
  | { type: 'audio'; speaker: Role | undefined; sequence: number | undefined; payload: string }
  /** A carrier's stream begins. */
  | { type: 'start'; start: CarrierStart }
  /** A key was pressed. */
  | { type: 'digit'; digit: string }
  | { type: 'ping' }
  /** The client ends the session. */
  | { type: 'end' }
  /** What was sent before this mark of ours has been heard. */
  | { type: 'mark'; name: string }
  /** The carrier's call is over. */
  | { type: 'stop' }
  /** The carrier does not take what it was sent. */
  | { type: 'complaint'; problem: string }
  /** Of no interest here. */
  | { type: 'ignored' }
  | { type: 'unknown' }
  | Invalid;

/** Not as its type has to be. */
export interface Invalid {
  type: 'invalid';
  code: 'invalid_audio_format' | 'invalid_message';
  problem: string;
}

/** What a carrier tells of its stream at the beginning. */
export interface CarrierStart {
  provider: Carrier;
  /** Names the stream in what is sent. */
  streamId: string;
  /** The carrier's id of the call. */
  callId: string;
  /** Of what the party says; it hears PCMU. */
  codec: 'PCMU' | 'PCMA';
  /** The numbers, where they are told. */
  from: string | undefined;
  to: string | undefined;
  /** Given with the stream in TwiML and TeXML, as `<Parameter>`. */
  token: string | undefined;
  sessionId: string | undefined;
  role: string | undefined;
}

/** What a carrier is told; whole WebSocket messages. */
export interface CarrierWords {
  /** @param audio mu-law, 8 kHz, 20 ms or more */
  audio(audio: Buffer): string;
  /** Comes back when all before it has been heard. */
  mark(name: string): string;
  /** Drops what waits at the carrier to be heard. */
  clear(): string;
}

export const invalid = (problem: string, code: Invalid['code'] = 'invalid_message'): Invalid => ({
  type: 'invalid',
  code,
  problem,
});

/** @returns a JSON object, or undefined when the frame is none */
export function readFrame(frame: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(frame.toString());
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Carriers write numbers as text. @returns a whole number from 0 on, or undefined */
export function readCount(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) && (number as number) >= 0 ? (number as number) : undefined;
}
