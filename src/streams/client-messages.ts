import type { SessionId } from '../ids.ts';
import type { Role } from '../roles.ts';
import { type Invalid, invalid, isObject, readCount, type StreamMessage } from './stream-message.ts';

/**
 * The messages of a Kallglot streaming client: what it may say, and what it is told. Pure.
 * Sources: contract §7, decisions §6 (`audio.output`).
 */

/** @param message has a `type` */
export function readClientMessage(message: Readonly<Record<string, unknown>>): StreamMessage {
  // By hand: it is on the way of every piece of speech.
  if (message.type === 'audio.input') return readAudio(message);
  if (message.type === 'ping') return { type: 'ping' };
  if (message.type === 'session.end') return { type: 'end' };
  return typeof message.type === 'string' ? { type: 'unknown' } : invalid('type is missing');
}

function readAudio({ audio, speaker, sequence }: Readonly<Record<string, unknown>>): StreamMessage {
  if (speaker !== undefined && speaker !== 'customer' && speaker !== 'agent')
    return invalid('speaker must be customer or agent');
  if (sequence !== undefined && readCount(sequence) === undefined)
    return invalid('sequence must be a whole number');
  if (!isObject(audio)) return invalidFormat('audio must be an object');
  if (audio.encoding !== 'mulaw') return invalidFormat('audio.encoding must be mulaw');
  if (audio.sample_rate_hz !== 8000) return invalidFormat('audio.sample_rate_hz must be 8000');
  if (audio.channels !== undefined && audio.channels !== 1) return invalidFormat('audio.channels must be 1');
  if (typeof audio.payload !== 'string') return invalidFormat('audio.payload must be base64');
  return { type: 'audio', speaker, sequence: readCount(sequence), payload: audio.payload };
}

const invalidFormat = (problem: string): Invalid => invalid(problem, 'invalid_audio_format');

export interface SpokenWords {
  final: boolean;
  speaker: string;
  language: string | undefined;
  text: string;
  translation: { language: string | undefined; text: string } | undefined;
}

/** What a Kallglot client is told; whole WebSocket messages. */
export const clientMessages = {
  ready: (sessionId: SessionId) => JSON.stringify({ type: 'session.ready', session_id: sessionId }),
  pong: (sessionId: SessionId) => JSON.stringify({ type: 'pong', session_id: sessionId }),
  error: (sessionId: SessionId, code: string, message: string) =>
    JSON.stringify({ type: 'session.error', session_id: sessionId, code, message }),
  ended: (sessionId: SessionId, reason: string) =>
    JSON.stringify({ type: 'session.ended', session_id: sessionId, reason }),
  transcript: (sessionId: SessionId, { final, speaker, language, text, translation }: SpokenWords) =>
    JSON.stringify({
      type: final ? 'transcript.final' : 'transcript.partial',
      session_id: sessionId,
      ...{ speaker, language, text, translation },
    }),
  /** @param speaker whose speech it is @param audio mu-law, 8 kHz */
  audio: (sequence: number, speaker: Role, audio: Buffer) =>
    // By hand: three times faster than JSON.stringify, and no value in it needs escaping.
    `{"type":"audio.output","sequence":${sequence},"speaker":"${speaker}","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"${audio.toString('base64')}"}}`,
};
