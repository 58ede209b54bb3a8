import { z } from 'zod';
import { parameter, parameters, word } from './start-fields.ts';
import { type CarrierWords, invalid, type StreamMessage } from './stream-message.ts';

/**
 * Telnyx media streaming, bidirectional in mode `rtp`: how a stream begins, and what Telnyx is told. Pure.
 * Source: https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
 */

const startMessage = z.object({
  stream_id: word,
  start: z.object({
    call_control_id: word,
    from: parameter,
    to: parameter,
    custom_parameters: parameters.nullish().transform((given) => given ?? {}),
    media_format: z.object({
      encoding: z.enum(['PCMU', 'PCMA', 'audio/x-mulaw', 'audio/x-alaw']),
      sample_rate: z.coerce.number().pipe(z.literal(8000)),
      channels: z.coerce.number().pipe(z.literal(1)),
    }),
  }),
});

export function readTelnyxStart(message: Readonly<Record<string, unknown>>): StreamMessage {
  const read = startMessage.safeParse(message);
  if (!read.success) return invalid(z.prettifyError(read.error));
  const { stream_id, start } = read.data;
  const { custom_parameters: given } = start;
  const codec = /alaw|PCMA/.test(start.media_format.encoding) ? 'PCMA' : 'PCMU';
  return {
    type: 'start',
    start: {
      ...{ provider: 'telnyx', streamId: stream_id, callId: start.call_control_id, codec },
      ...{ from: start.from ?? given.from, to: start.to ?? given.to },
      ...{ token: given.token, sessionId: given.session_id, role: given.role },
    },
  };
}

/** Telnyx knows the stream by its connection. */
export const telnyxWords: CarrierWords = {
  audio: (audio) => `{"event":"media","media":{"payload":"${audio.toString('base64')}"}}`,
  mark: (name) => JSON.stringify({ event: 'mark', mark: { name } }),
  clear: () => '{"event":"clear"}',
};
