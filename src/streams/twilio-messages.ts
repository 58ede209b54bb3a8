import { z } from 'zod';
import { parameters, word } from './start-fields.ts';
import { type CarrierWords, invalid, type StreamMessage } from './stream-message.ts';

/**
 * Twilio Media Streams, as sent by `<Connect><Stream>`: how a stream begins, and what Twilio is told. Pure.
 * Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
 */

const startMessage = z.object({
  streamSid: word,
  callSid: word,
  customParameters: parameters.default({}),
  mediaFormat: z.object({
    encoding: z.literal('audio/x-mulaw'),
    sampleRate: z.coerce.number().pipe(z.literal(8000)),
    channels: z.coerce.number().pipe(z.literal(1)),
  }),
});

export function readTwilioStart({ start }: Readonly<Record<string, unknown>>): StreamMessage {
  const read = startMessage.safeParse(start);
  if (!read.success) return invalid(z.prettifyError(read.error));
  const { streamSid, callSid, customParameters: given } = read.data;
  return {
    type: 'start',
    start: {
      ...{ provider: 'twilio', streamId: streamSid, callId: callSid, codec: 'PCMU' },
      ...{
        from: given.from,
        to: given.to,
        token: given.token,
        sessionId: given.session_id,
        role: given.role,
      },
    },
  };
}

export function twilioWords(streamSid: string): CarrierWords {
  const stream = JSON.stringify(streamSid);
  return {
    audio: (audio) =>
      `{"event":"media","streamSid":${stream},"media":{"payload":"${audio.toString('base64')}"}}`,
    mark: (name) => `{"event":"mark","streamSid":${stream},"mark":${JSON.stringify({ name })}}`,
    clear: () => `{"event":"clear","streamSid":${stream}}`,
  };
}
