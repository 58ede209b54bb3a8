import telnyx from '../fixtures/carriers/telnyx-stream.json' with { type: 'json' };
import twilio from '../fixtures/carriers/twilio-stream.json' with { type: 'json' };
import { StreamClient, type StreamKind, type StreamMessage } from './stream-client.ts';

/** The three kinds of clients of a session's stream, as they are in the field. */

export interface StreamAddress {
  /** As the session shows it. */
  url: string;
  token: string;
}

type Role = 'customer' | 'agent';

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

/** What Twilio opens for `<Connect><Stream>`, begun. */
export async function connectTwilio(
  { url, token }: StreamAddress,
  { parameters = {}, continuous = true, start = (message) => message }: CarrierOptions = {},
): Promise<StreamClient> {
  const { connected, start: example, media_inbound } = twilio.from_twilio;
  const client = await StreamClient.open(url, {
    chunkMs: 20,
    continuous,
    speech: (payload, number, timestamp) => ({
      ...media_inbound,
      sequenceNumber: `${number + 1}`,
      media: { track: 'inbound', chunk: `${number}`, timestamp: `${timestamp}`, payload },
    }),
    heard: (message) => (message.event === 'media' ? message.media.payload : undefined),
    answer: (message) => (message.event === 'mark' ? message : undefined),
  });
  client.send(connected);
  client.send(start({ ...example, start: { ...example.start, customParameters: { token, ...parameters } } }));
  return client;
}

/** What Telnyx opens for `<Connect><Stream>` with `bidirectionalMode="rtp"`, begun. */
export async function connectTelnyx(
  { url, token }: StreamAddress,
  { parameters = {}, continuous = true, start = (message) => message }: CarrierOptions = {},
): Promise<StreamClient> {
  const { connected, start: example, media } = telnyx.from_telnyx;
  const client = await StreamClient.open(url, {
    chunkMs: 20,
    continuous,
    speech: (payload, number, timestamp) => ({
      ...media,
      sequence_number: `${number + 1}`,
      media: { track: 'inbound', chunk: `${number}`, timestamp: `${timestamp}`, payload },
    }),
    heard: (message) => (message.event === 'media' ? message.media.payload : undefined),
    answer: (message) => (message.event === 'mark' ? message : undefined),
  });
  client.send(connected);
  client.send(
    start({ ...example, start: { ...example.start, custom_parameters: { token, ...parameters } } }),
  );
  return client;
}
