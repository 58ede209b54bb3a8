import { z } from 'zod';
import type { Role } from '../roles.ts';
import type { PipelineMessage } from './dialect.ts';
import { MAX_CONTROL_BYTES, readAs, readNamed } from './frame.ts';

/**
 * What a voice bot says in Twilio's Media Streams, read from JSON text. Pure: no socket, no state, no time.
 * Source: Twilio, "Media Streams: WebSocket Messages", messages to Twilio
 * (https://www.twilio.com/docs/voice/media-streams/websocket-messages).
 */

const streamSid = z.string().max(100).optional();
const media = z.object({ streamSid, media: z.object({ payload: z.string() }) });
const mark = z.object({ streamSid, mark: z.object({ name: z.string().max(200) }) });
const clear = z.object({ streamSid });
const events = new Map<string, z.ZodType<Heard>>([
  ['media', media],
  ['mark', mark],
  ['clear', clear],
]);
type Heard = z.infer<typeof media> | z.infer<typeof mark> | z.infer<typeof clear>;

export interface ReadingStream {
  /** Of the stream that is open; undefined while there is none. */
  streamSid: string | undefined;
  /** Whose speech it is that is played to the stream's party: the other's, or in the one-leg modes its own. */
  speaker: Role;
}

/** Reads a text frame of the bot. Never throws: what is wrong with it is in the result. */
export function readBotMessage(frame: Buffer, { streamSid, speaker }: ReadingStream): PipelineMessage {
  const named = readNamed(frame, 'event');
  if ('problem' in named) return { type: 'invalid', ...named };
  const { name, json } = named;
  if (name !== 'media' && frame.length > MAX_CONTROL_BYTES)
    return { type: 'invalid', problem: `larger than ${MAX_CONTROL_BYTES} bytes` };
  const schema = events.get(name);
  if (schema === undefined) return { type: 'unknown' };
  const result = readAs(schema, json);
  if ('problem' in result) return { type: 'invalid', ...result };
  const { read } = result;
  // What is late for a stream that is over must not be heard in the next.
  if (streamSid === undefined || (read.streamSid ?? streamSid) !== streamSid)
    return { type: 'invalid', problem: 'not of the stream that is open' };
  if ('media' in read)
    return {
      ...{ type: 'audio', speaker, payload: read.media.payload },
      ...{ encoding: 'mulaw', sampleRateHz: 8000 },
    };
  return 'mark' in read ? { type: 'mark', name: read.mark.name, speaker } : { type: 'clear', speaker };
}
