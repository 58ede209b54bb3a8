import { createHash, createHmac, randomBytes } from 'node:crypto';
import { MULAW_8K } from '../audio/format.ts';
import { listenerOf, type Role, rolesOf } from '../roles.ts';
import type {
  Conversation,
  Dialect,
  DialectSession,
  LegState,
  PipelineMessage,
  SpeechChunk,
} from './dialect.ts';
import { addressFor } from './pipeline-url.ts';
import { readBotMessage } from './twilio-messages.ts';

export interface TwilioSettings {
  /** ws or wss, with `{session_id}`, `{role}` and `{token}` where they belong. */
  url: string;
  tokenSecret: string;
  /** What the bot is told whose call it is. */
  accountSid: string;
  /** Signs the upgrade request, as Twilio does, for bots that check it. */
  authToken: string | undefined;
}

/** Twilio's own. */
const CHUNK_MS = 20;
/** Closed in good order: as it should be, and without a word. */
const IN_GOOD_ORDER: readonly number[] = [1000, 1005];

/**
 * The dialect `twilio`: towards a voice bot we are Twilio's Media Streams (`<Connect><Stream>`), with a WebSocket for each
 * party. A stream begins when its party joins and stops when it leaves, and its WebSocket is closed then; what the bot says
 * on it is heard by that party. A bot hangs up by closing it, for Twilio goes on with the call then: where it is all that a
 * party talks with, that ends the call.
 * Sources: Twilio, "Media Streams: WebSocket Messages", "TwiML Voice: <Stream>" and "Security" (X-Twilio-Signature).
 * @throws TypeError when `url` is not an address
 */
export function twilioDialect(settings: TwilioSettings): Dialect {
  new URL(settings.url);
  return {
    ...{ name: 'twilio', connections: 'per_speaker', replay: 'none', input: MULAW_8K, chunkMs: CHUNK_MS },
    connect: (session, [role = 'customer'], now) => {
      const url = addressFor(settings, session.sessionId, now).replaceAll('{role}', role);
      return new BotConversation(url, settings, session, role);
    },
  };
}

/** One connection: one stream, numbered from its start. */
class BotConversation implements Conversation {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly greeting = ['{"event":"connected","protocol":"Call","version":"1.0.0"}'];
  readonly readyWhenOpen = true;
  readonly answersEnd = false;
  readonly #accountSid: string;
  readonly #session: DialectSession;
  readonly #role: Role;
  readonly #callSid: string;
  #streamSid: string | undefined;
  /** Its stream has stopped: a bot waits for no second `start` on a WebSocket. */
  #isSpent = false;
  #sequence = 0;
  #chunks = 0;
  /** Wall clock of its first sample, ms. */
  #startedAt = 0;

  constructor(
    url: string,
    { accountSid, authToken }: Pick<TwilioSettings, 'accountSid' | 'authToken'>,
    session: DialectSession,
    role: Role,
  ) {
    this.url = url;
    this.headers = authToken === undefined ? {} : { 'X-Twilio-Signature': signature(authToken, url) };
    this.#accountSid = accountSid;
    this.#session = session;
    this.#role = role;
    this.#callSid = callSidOf(session.sessionId, role);
  }

  speech(_speaker: Role, { audio, timestampMs }: SpeechChunk): string | undefined {
    if (this.#streamSid === undefined) return undefined;
    if (this.#chunks++ === 0) this.#startedAt = timestampMs;
    const timestamp = Math.max(0, timestampMs - this.#startedAt);
    // By hand, as it is the one that is sent all the time.
    return `{"event":"media","sequenceNumber":"${++this.#sequence}","media":{"track":"inbound","chunk":"${this.#chunks}","timestamp":"${timestamp}","payload":"${audio.toString('base64')}"},"streamSid":"${this.#streamSid}"}`;
  }

  /** WebSocket pings: the protocol has none of its own. */
  ping(): undefined {}

  end(): string | undefined {
    return this.#stop();
  }

  get isSpent(): boolean {
    return this.#isSpent;
  }

  hangsUp(code: number): boolean {
    const isAlone = rolesOf(this.#session.mode).length === 1;
    return isAlone && this.#streamSid !== undefined && IN_GOOD_ORDER.includes(code);
  }

  /** Holding is nothing that Twilio tells of: the stream goes on, and is silent. */
  legChange(_role: Role, state: LegState): string | undefined {
    if (state === 'joined') return this.#start();
    return state === 'left' ? this.#stop() : undefined;
  }

  keyPress(_speaker: Role, { digit }: { digit: string }): string | undefined {
    return this.#message('dtmf', { dtmf: { track: 'inbound_track', digit } });
  }

  /** Twilio sends a mark back in either case. */
  markReached(name: string): string | undefined {
    return this.#message('mark', { mark: { name } });
  }

  read(frame: Buffer): PipelineMessage {
    const speaker = listenerOf(this.#session.mode, this.#role);
    return readBotMessage(frame, { streamSid: this.#streamSid, speaker });
  }

  concluded(): undefined {}

  refused(): undefined {}

  #start(): string | undefined {
    if (this.#streamSid !== undefined || this.#isSpent) return undefined;
    const streamSid = `MZ${randomBytes(16).toString('hex')}`;
    this.#streamSid = streamSid;
    return this.#message('start', {
      start: {
        ...{ streamSid, accountSid: this.#accountSid, callSid: this.#callSid, tracks: ['inbound'] },
        customParameters: customParametersOf(this.#session, this.#role),
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      },
    });
  }

  #stop(): string | undefined {
    const stop = { accountSid: this.#accountSid, callSid: this.#callSid };
    const message = this.#message('stop', { stop });
    this.#isSpent ||= message !== undefined;
    this.#streamSid = undefined;
    return message;
  }

  /** @returns undefined while no stream is open */
  #message(event: string, content: object): string | undefined {
    const streamSid = this.#streamSid;
    if (streamSid === undefined) return undefined;
    return JSON.stringify({ event, sequenceNumber: String(++this.#sequence), ...content, streamSid });
  }
}

/** Twilio's parameters are texts, and absent where there is nothing to tell. */
function customParametersOf(session: DialectSession, role: Role): Record<string, string> {
  const { sessionId, mode, sourceLanguage, targetLanguage } = session;
  return {
    ...{ session_id: sessionId, role, mode },
    ...(sourceLanguage !== null && { source_language: sourceLanguage }),
    ...(targetLanguage !== null && { target_language: targetLanguage }),
  };
}

/** The same for all streams of a party. */
const callSidOf = (sessionId: string, role: Role): string =>
  `CA${createHash('sha256').update(`${sessionId} ${role}`).digest('hex').slice(0, 32)}`;

/** Twilio's signature of a request without parameters: HMAC-SHA1 of its address. */
const signature = (authToken: string, url: string): string =>
  createHmac('sha1', authToken).update(url).digest('base64');
