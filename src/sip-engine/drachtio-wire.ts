import { randomUUID } from 'node:crypto';

/**
 * The frames of drachtio's TCP protocol: `<decimal byte length>#<payload>`, where the payload is one line of
 * `|`-separated tokens and, after CRLF, perhaps a SIP message. Bytes throughout: what is not ASCII passes unchanged.
 */

/** Longest payload of one frame, in bytes; a real server takes 12,210. */
export const MAX_FRAME_BYTES = 65_536;
const MAX_LENGTH_DIGITS = 5;
const HASH = 0x23;
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

/** The byte stream is not one of frames; the connection is of no more use. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** Cuts a TCP stream into frames, however it was split. */
export class FrameReader {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Bytes that the frame being read needs in all; 0 while its length is not known. */
  #wanted = 0;

  /**
   * @returns the payloads that `bytes` completes, in order
   * @throws FrameError on a length that is not a number, or over the cap
   */
  feed(bytes: Buffer): Buffer[] {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#wanted > this.#pendingBytes) return [];
    const data = this.#pending.length === 1 ? bytes : Buffer.concat(this.#pending, this.#pendingBytes);
    const payloads: Buffer[] = [];
    let at = 0;
    this.#wanted = 0;
    while (at < data.length) {
      const length = readLength(data, at);
      if (length === undefined) break;
      const end = length.payloadAt + length.bytes;
      if (end > data.length) {
        this.#wanted = end - at;
        break;
      }
      payloads.push(data.subarray(length.payloadAt, end));
      at = end;
    }
    this.#pending = at < data.length ? [data.subarray(at)] : [];
    this.#pendingBytes = data.length - at;
    return payloads;
  }
}

/** The length prefix at `at`, or undefined while it is not complete. */
function readLength(data: Buffer, at: number): { bytes: number; payloadAt: number } | undefined {
  let bytes = 0;
  for (let i = at; i < data.length; i += 1) {
    const byte = data[i]!;
    if (byte === HASH) {
      if (bytes === 0) throw new FrameError('a frame without length');
      if (bytes > MAX_FRAME_BYTES)
        throw new FrameError(`a frame of ${bytes} bytes; ${MAX_FRAME_BYTES} are allowed`);
      return { bytes, payloadAt: i + 1 };
    }
    const digit = byte - 0x30;
    if (digit < 0 || digit > 9 || i - at >= MAX_LENGTH_DIGITS)
      throw new FrameError('a frame length is not a number');
    bytes = bytes * 10 + digit;
  }
  return undefined;
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
