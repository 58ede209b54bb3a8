import { randomUUID } from 'node:crypto';
import { FrameError } from '../drachtio-frames.ts';

/**
 * What frames of drachtio's TCP protocol hold: one line of `|`-separated tokens and, after CRLF, perhaps a SIP message.
 * Bytes throughout: what is not ASCII passes unchanged.
 */

/** Longest payload of one frame, in bytes; a real server takes 12,210. */
export const MAX_FRAME_BYTES = 65_536;
const CR = 0x0d;

/** One message of the application. */
export interface AppFrame {
  /** UUID that the answer names. */
  id: string;
  type: string;
  /** What follows the type on the first line. */
  tokens: string[];
  /** The SIP message, absent when the frame has only its first line. */
  sip: Buffer | undefined;
}

/**
 * Reads the first line of a payload.
 * @throws FrameError when it has not even an id and a type
 */
export function parseFrame(payload: Buffer): AppFrame {
  const lineEnd = payload.indexOf(CR);
  const line = payload.toString('latin1', 0, lineEnd === -1 ? payload.length : lineEnd);
  const [id, type, ...tokens] = line.split('|');
  if (id === undefined || id === '' || type === undefined)
    throw new FrameError('a frame without id and type');
  return { id, type, tokens, sip: lineEnd === -1 ? undefined : payload.subarray(lineEnd + 2) };
}

/** Builds a frame: a fresh UUID, the tokens, and perhaps a SIP message. Tokens must not hold `|` or CR. */
export function formatFrame(tokens: readonly (string | number)[], sip?: Buffer): Buffer {
  const line = `${randomUUID()}|${tokens.join('|')}${sip === undefined ? '' : '\r\n'}`;
  const head = `${line.length + (sip?.length ?? 0)}#${line}`;
  const frame = Buffer.allocUnsafe(head.length + (sip?.length ?? 0));
  frame.write(head, 'latin1');
  if (sip !== undefined) frame.set(sip, head.length);
  return frame;
}

/** The protocol's time of day, UTC: `11:12:34.250055`. */
export const timeOfDay = (now: number): string => `${new Date(now).toISOString().slice(11, 23)}000`;
