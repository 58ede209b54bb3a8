import type { Role } from '../../src/roles.ts';
import telnyx from '../fixtures/carriers/telnyx-stream.json' with { type: 'json' };
import twilio from '../fixtures/carriers/twilio-stream.json' with { type: 'json' };
import { StreamClient, type StreamKind, type StreamMessage } from './stream-client.ts';

/** The three kinds of clients of a session's stream, as they are in the field. */

export interface StreamAddress {
  /** As the session shows it. */
  url: string;
  token: string;
}

/** The stream that a session shows, at the port that was free: the gateway was told to take any, and does not know which. */
export function streamAt(apiUrl: string, { url, token }: StreamAddress): StreamAddress {
  return { url: `${apiUrl.replace(/^http/, 'ws')}${new URL(url).pathname}`, token };
}

/** Speaks as contract §7 has it. @param speaker of what it says */
const kallglotKind = (speaker: Role): StreamKind => ({
  chunkMs: 100,
  continuous: false,
  speech: (payload, sequence, timestamp_ms) => ({
    ...{ type: 'audio.input', sequence, timestamp_ms, speaker },
    audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload },
  }),
  heard: (message) => (message.type === 'audio.output' ? message.audio.payload : undefined),
});

/** A browser: it names its role when it connects, unless `named` is false. Resolves when the connection is open. */
export function connectKallglot(
  { url, token }: StreamAddress,
  role: Role,
  { named = true }: { named?: boolean } = {},
): Promise<StreamClient> {
  const query = new URLSearchParams({ token, ...(named && { role }) });
  return StreamClient.open(`${url}?${query}`, kallglotKind(role));
}

export interface CarrierOptions {
  /** Beside `token`; of a `<Parameter>` each. */
  parameters?: Record<string, string>;
  /** Whether silence is sent too, as carriers do; some send none. */
  continuous?: boolean;
  /** Changes what is said at the beginning. */
  start?: (message: StreamMessage) => StreamMessage;
}

/** How a carrier words a stream: its examples of messages, and names that differ. */
interface CarrierWords {
  connected: StreamMessage;
  start: StreamMessage;
  media: StreamMessage;
  sequence: string;
  parameters: string;
}

const { from_twilio: ofTwilio } = twilio;
const twilioWords: CarrierWords = {
  ...{ connected: ofTwilio.connected, start: ofTwilio.start, media: ofTwilio.media_inbound },
  ...{ sequence: 'sequenceNumber', parameters: 'customParameters' },
};
const telnyxWords: CarrierWords = {
  ...telnyx.from_telnyx,
  ...{ sequence: 'sequence_number', parameters: 'custom_parameters' },
};

/** What Twilio opens for `<Connect><Stream>`, begun. */
export const connectTwilio = (address: StreamAddress, options?: CarrierOptions): Promise<StreamClient> =>
  connectCarrier(twilioWords, address, options);

/** What Telnyx opens for `<Connect><Stream>` with `bidirectionalMode="rtp"`, begun. */
export const connectTelnyx = (address: StreamAddress, options?: CarrierOptions): Promise<StreamClient> =>
  connectCarrier(telnyxWords, address, options);

async function connectCarrier(
  words: CarrierWords,
  { url, token }: StreamAddress,
  { parameters = {}, continuous = true, start = (message) => message }: CarrierOptions = {},
): Promise<StreamClient> {
  const client = await StreamClient.open(url, {
    chunkMs: 20,
    continuous,
    speech: (payload, number, timestamp) => ({
      ...words.media,
      [words.sequence]: `${number + 1}`,
      media: { track: 'inbound', chunk: `${number}`, timestamp: `${timestamp}`, payload },
    }),
    heard: (message) => (message.event === 'media' ? message.media.payload : undefined),
    answer: (message) => (message.event === 'mark' ? message : undefined),
  });
  const begun = { ...words.start.start, [words.parameters]: { token, ...parameters } };
  client.send(words.connected);
  client.send(start({ ...words.start, start: begun }));
  return client;
}
