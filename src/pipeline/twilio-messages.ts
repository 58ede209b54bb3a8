import { z } from 'zod';
import type { Role } from '../roles.ts';
import type { PipelineMessage } from './dialect.ts';

/**
 * What a voice bot says in Twilio's Media Streams, read from JSON text. Pure: no socket, no state, no time.
 * Source: Twilio, "Media Streams: WebSocket Messages", messages to Twilio
 * (https://www.twilio.com/docs/voice/media-streams/websocket-messages).
 */

/** Anything but audio is short. */
const MAX_CONTROL_BYTES = 64 * 1024;

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
  let json: unknown;
  try {
    json = JSON.parse(frame.toString());
  } catch {
    return { type: 'invalid', problem: 'not JSON' };
  }
  const event = json !== null && typeof json === 'object' && 'event' in json ? json.event : undefined;
  if (typeof event !== 'string') return { type: 'invalid', problem: 'no event' };
  if (event !== 'media' && frame.length > MAX_CONTROL_BYTES)
    return { type: 'invalid', problem: `larger than ${MAX_CONTROL_BYTES} bytes` };
  const schema = events.get(event);
  if (schema === undefined) return { type: 'unknown' };
  const result = schema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    return { type: 'invalid', problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` };
  }
  const { data } = result;
  // What is late for a stream that is over must not be heard in the next.
  if (streamSid === undefined || (data.streamSid ?? streamSid) !== streamSid)
    return { type: 'invalid', problem: 'not of the stream that is open' };
  if ('media' in data)
    return {
      ...{ type: 'audio', speaker, payload: data.media.payload },
      ...{ encoding: 'mulaw', sampleRateHz: 8000 },
    };
  return 'mark' in data ? { type: 'mark', name: data.mark.name, speaker } : { type: 'clear', speaker };
}
