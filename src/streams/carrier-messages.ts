import { z } from 'zod';
import { dtmfDigits } from '../dtmf.ts';
import { invalid, isObject, readCount, type StreamMessage } from './stream-message.ts';
import { readTelnyxStart } from './telnyx-messages.ts';
import { readTwilioStart } from './twilio-messages.ts';

/**
 * The messages of a carrier's media stream. Twilio and Telnyx differ in how a stream begins and in what they are told; what
 * they say while it runs has the same form. Pure.
 */

const dtmfMessage = z.object({ dtmf: z.object({ digit: z.string().length(1) }) });
const markMessage = z.object({ mark: z.object({ name: z.string().max(100) }) });
const errorMessage = z.object({
  payload: z.object({
    code: z.union([z.string().max(20), z.number().transform(String)]),
    title: z.string().max(100).default(''),
    detail: z.string().max(300).default(''),
  }),
});

type Read = (message: Readonly<Record<string, unknown>>) => StreamMessage;

const events: ReadonlyMap<unknown, Read> = new Map<unknown, Read>([
  ['media', readMedia],
  // The one names its stream in `streamSid`, the other in `stream_id`.
  ['start', (message) => ('stream_id' in message ? readTelnyxStart(message) : readTwilioStart(message))],
  ['dtmf', readDigit],
  ['stop', () => ({ type: 'stop' })],
  ['error', readError],
  ['connected', () => ({ type: 'ignored' })],
  ['mark', readMark],
]);

/** @param message has an `event` */
export function readCarrierMessage(message: Readonly<Record<string, unknown>>): StreamMessage {
  return events.get(message.event)?.(message) ?? { type: 'unknown' };
}

/** By hand: it is on the way of every piece of speech. */
function readMedia({ media }: Readonly<Record<string, unknown>>): StreamMessage {
  if (!isObject(media) || typeof media.payload !== 'string') return invalid('media has no payload');
  // What the call hears comes back on a track of its own where both are streamed.
  if (media.track === 'outbound') return { type: 'ignored' };
  return { type: 'audio', speaker: undefined, sequence: readCount(media.chunk), payload: media.payload };
}

function readDigit(message: unknown): StreamMessage {
  const digit = dtmfMessage.safeParse(message).data?.dtmf.digit;
  return digit !== undefined && dtmfDigits.includes(digit)
    ? { type: 'digit', digit }
    : invalid('no such key');
}

function readMark(message: unknown): StreamMessage {
  const name = markMessage.safeParse(message).data?.mark.name;
  return name === undefined ? invalid('mark has no name') : { type: 'mark', name };
}

/** Of Telnyx. */
function readError(message: unknown): StreamMessage {
  const { code, title, detail } = errorMessage.safeParse(message).data?.payload ?? {};
  return {
    type: 'complaint',
    problem: [code, title, detail].filter(Boolean).join(' ') || 'without a reason',
  };
}
