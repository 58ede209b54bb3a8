import type { RealtimeTranslationClientEvent } from 'openai/resources/realtime/realtime';
import type { AudioFormat } from '../audio/format.ts';
import { type Role, rolesOf } from '../roles.ts';
import {
  type Conversation,
  type Dialect,
  type DialectSession,
  type Failure,
  PermanentFailure,
  type PipelineMessage,
  type SpeechChunk,
} from './dialect.ts';
import { failureOfError, failureOfStatus, type ServiceError } from './openai-failures.ts';
import { readServiceEvent } from './openai-messages.ts';
import { OpenaiTranscript } from './openai-transcript.ts';
import type { TranscriptEvent } from './pipeline-link.ts';

export interface OpenaiSettings {
  /** ws or wss; OpenAI's own when absent. */
  url: string | undefined;
  key: string;
  model: string;
  /** What writes down the speech itself; without it there are no transcripts. */
  transcriptionModel: string | undefined;
}

const OPENAI_URL = 'wss://api.openai.com/v1/realtime/translations';
const PCM_24K: AudioFormat = { encoding: 'pcm_16', sampleRateHz: 24_000 };
/** What the service works in: shorter chunks wait there, longer ones are cut. */
const CHUNK_MS = 200;

/**
 * The dialect `openai`: OpenAI's real-time translation, a session of its own for what each party says. Of the package
 * `openai` the types alone are used: its class for this has a socket of its own, without the bounds of ours.
 * Sources: the package's types; OpenAI, guide "Realtime translation"
 * (https://developers.openai.com/api/docs/guides/realtime-translation).
 * @throws TypeError when `url` is not an address
 */
export function openaiDialect(settings: OpenaiSettings): Dialect {
  const address = new URL(settings.url ?? OPENAI_URL);
  address.searchParams.set('model', settings.model);
  return {
    ...{ name: 'openai', connections: 'per_speaker', replay: 'none', input: PCM_24K, chunkMs: CHUNK_MS },
    connect: (session, [speaker = 'customer']) =>
      new TranslationSession(address.href, settings, speaker, outputLanguageOf(session, speaker)),
  };
}

/**
 * What the speech of a party is translated to: the other party's language, by its first subtag.
 * @throws PermanentFailure where there is none
 */
function outputLanguageOf({ mode, sourceLanguage, targetLanguage }: DialectSession, speaker: Role): string {
  if (rolesOf(mode).length === 1)
    throw new PermanentFailure(`the dialect openai translates between two parties; it has no ${mode}`);
  const language = speaker === 'customer' ? targetLanguage : sourceLanguage;
  if (language === null)
    throw new PermanentFailure(
      'the dialect openai has to be told both source_language and target_language of a session',
    );
  return (language.split('-')[0] as string).toLowerCase();
}

const write = (event: RealtimeTranslationClientEvent): string => JSON.stringify(event);

/** One connection: the translation of what one party says. */
class TranslationSession implements Conversation {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly greeting: readonly string[];
  readonly readyWhenOpen = false;
  readonly answersEnd = true;
  readonly isSpent = false;
  readonly #speaker: Role;
  /** Where it is wished for. */
  readonly #transcript: OpenaiTranscript | undefined;
  #isReady = false;
  #isEnding = false;

  constructor(url: string, { key, transcriptionModel }: OpenaiSettings, speaker: Role, language: string) {
    this.url = url;
    this.headers = { Authorization: `Bearer ${key}` };
    const transcription = transcriptionModel === undefined ? null : { model: transcriptionModel };
    const audio = { input: { transcription }, output: { language } };
    this.greeting = [write({ type: 'session.update', session: { audio } })];
    this.#speaker = speaker;
    if (transcriptionModel !== undefined) this.#transcript = new OpenaiTranscript(speaker);
  }

  speech(_speaker: Role, { audio }: SpeechChunk): string {
    this.#transcript?.passed(CHUNK_MS);
    // By hand, as it is the one that is sent all the time.
    return `{"type":"session.input_audio_buffer.append","audio":"${audio.toString('base64')}"}`;
  }

  /** WebSocket pings: the service has none of its own. */
  ping(): undefined {}

  end(): string {
    this.#isEnding = true;
    return write({ type: 'session.close' });
  }

  hangsUp(): boolean {
    return false;
  }

  legChange(): undefined {}

  keyPress(): undefined {}

  markReached(): undefined {}

  /** Ready is what has been set up as asked: `session.created` tells of the service's own settings. */
  read(frame: Buffer): PipelineMessage {
    const event = readServiceEvent(frame);
    switch (event.event) {
      case 'audio':
        return {
          ...{ type: 'audio', speaker: this.#speaker, encoding: 'pcm_16' },
          ...{ sampleRateHz: event.sampleRateHz, payload: event.payload },
        };
      case 'said':
        return this.#transcript?.said(event.fragment) ?? { type: 'noted' };
      case 'translated':
        return this.#transcript?.translated(event.fragment) ?? { type: 'noted' };
      case 'updated':
        this.#isReady = true;
        return { type: 'ready' };
      case 'closed':
        if (this.#isEnding) return { type: 'ended', reason: 'closed' };
        return { type: 'failed', detail: 'OpenAI closed the session', permanent: false };
      case 'error':
        return this.#onError(event.error);
      case 'invalid':
        return { type: 'invalid', problem: event.problem };
      case 'created':
        return { type: 'noted' };
      case 'unknown':
        return { type: 'unknown' };
    }
  }

  concluded(over: boolean): TranscriptEvent | undefined {
    return this.#transcript?.take(over);
  }

  refused(status: number): Failure {
    return failureOfStatus(status);
  }

  #onError(error: ServiceError): PipelineMessage {
    const failure = failureOfError(error, this.#isReady);
    if (failure !== undefined) return { type: 'failed', ...failure };
    return { type: 'error', code: error.code, message: error.message };
  }
}
