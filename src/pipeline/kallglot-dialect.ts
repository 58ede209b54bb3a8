import { MULAW_8K } from '../audio/format.ts';
import type { Role } from '../roles.ts';
import type { Conversation, Dialect, DialectSession, SpeechChunk } from './dialect.ts';
import { readUsualAudio } from './kallglot-audio.ts';
import { readMessage } from './kallglot-messages.ts';
import { addressFor } from './pipeline-url.ts';

export interface KallglotSettings {
  /** ws or wss, with `{session_id}` and `{token}` where they belong. */
  url: string;
  tokenSecret: string;
  /** 20 to 200. */
  chunkMs: number;
  /** Messages beyond the public contract: `audio.clear`, `audio.mark`, `leg`, `dtmf`. */
  extensions: boolean;
}

/**
 * The dialect `kallglot`: JSON text messages on one WebSocket per session.
 * Sources: contract §7, decisions §6.
 * @throws TypeError when `url` is not an address
 */
export function kallglotDialect(settings: KallglotSettings): Dialect {
  new URL(settings.url);
  const { extensions } = settings;
  const written: Omit<Conversation, 'url' | 'headers'> = {
    greeting: [],
    readyWhenOpen: false,
    speech,
    ping: () => '{"type":"ping"}',
    end: () => '{"type":"session.end"}',
    legChange: (role, state) => (extensions ? JSON.stringify({ type: 'leg', role, state }) : undefined),
    keyPress: (speaker, { digit, durationMs }) =>
      extensions ? JSON.stringify({ type: 'dtmf', speaker, digit, duration_ms: durationMs }) : undefined,
    markReached: (name, played) => JSON.stringify({ type: 'audio.mark', name, played }),
    read: (frame) => readUsualAudio(frame) ?? readMessage(frame, extensions),
    answersEnd: true,
    isSpent: false,
    hangsUp: () => false,
    concluded: () => undefined,
    refused: () => undefined,
  };
  return {
    name: 'kallglot',
    connections: 'shared',
    replay: 'sequence',
    input: MULAW_8K,
    chunkMs: settings.chunkMs,
    connect: (session, _speakers, now) => ({
      url: addressFor(settings, session.sessionId, now),
      headers: upgradeHeaders(session),
      ...written,
    }),
  };
}

function speech(speaker: Role, { sequence, timestampMs, audio }: SpeechChunk): string {
  // By hand: three times faster than JSON.stringify, and no value in it needs escaping.
  return `{"type":"audio.input","sequence":${sequence},"timestamp_ms":${timestampMs},"speaker":"${speaker}","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"${audio.toString('base64')}"}}`;
}

function upgradeHeaders(session: DialectSession): Record<string, string> {
  const headers: Record<string, string> = {
    'X-Kallglot-Session': session.sessionId,
    'X-Kallglot-Mode': session.mode,
  };
  if (session.sourceLanguage !== null) headers['X-Kallglot-Source-Language'] = session.sourceLanguage;
  if (session.targetLanguage !== null) headers['X-Kallglot-Target-Language'] = session.targetLanguage;
  return headers;
}
