import { limits } from './limits.ts';
import { finishMessage, headError, type SipMessage, SipParseError } from './message.ts';
import { contentLength, type Fault, type Head, parseHead } from './message-head.ts';

/** What a piece of a stream turned out to hold, in order. */
export type StreamEvent =
  | { readonly kind: 'message'; readonly message: SipMessage; readonly bytes: Buffer }
  /** The keep-alive CRLFCRLF; to be answered with one CRLF (RFC 5626 §4.4.1). */
  | { readonly kind: 'ping' }
  /**
   * A message that cannot be read. Answer `error.partial` with `error.status`, if it can be answered. When `fatal`, the
   * place where the next message begins is lost: close the connection after the answer; nothing more will come.
   */
  | {
      readonly kind: 'error';
      readonly error: SipParseError;
      readonly fatal: boolean;
      readonly bytes: Buffer;
    };

const CR = 0x0d;
const LF = 0x0a;

/**
 * Cuts the bytes of one TCP or TLS connection into messages (RFC 3261 §18.3). Every byte is looked at once, however the
 * stream was split, and never more than one message of `limits.message` bytes is kept. Content-Length is mandatory.
 */
export class StreamFramer {
  /** The message that is not yet complete: the first `#length` bytes. Grows by doubling, up to one message. */
  #bytes = Buffer.alloc(1024);
  #length = 0;
  /** Once its blank line was seen: the head of that message and where it ends, the blank line included. */
  #head: Head | undefined;
  #headEnd = 0;
  #bodyLength = 0;
  /** CR and LF of the keep-alive seen so far, 0 to 3, while no message has begun. */
  #lineEnds = 0;
  #dead = false;

  /** @param chunk what the socket read; not kept */
  feed(chunk: Buffer): StreamEvent[] {
    const events: StreamEvent[] = [];
    let at = 0;
    while (at < chunk.length && !this.#dead) {
      if (this.#head) at = this.#takeBody(chunk, at, events);
      else if (this.#length === 0 && this.#isBetween(chunk[at]!)) at = this.#takeLineEnd(at, events);
      else at = this.#takeHead(chunk, at, events);
    }
    return events;
  }

  /** Whether a message has begun that is not complete. */
  get isPartial(): boolean {
    return this.#length > 0;
  }

  #isBetween(byte: number): boolean {
    return byte === (this.#lineEnds % 2 === 0 ? CR : LF);
  }

  #takeLineEnd(at: number, events: StreamEvent[]): number {
    if (++this.#lineEnds === 4) {
      this.#lineEnds = 0;
      events.push({ kind: 'ping' });
    }
    return at + 1;
  }

  /** Takes bytes up to and with the blank line, or all there are. */
  #takeHead(chunk: Buffer, from: number, events: StreamEvent[]): number {
    this.#lineEnds = 0;
    let at = from;
    while (at < chunk.length) {
      if (this.#length === limits.message) {
        const head = parseHead(this.#bytes.toString('latin1', 0, this.#length));
        this.#fail(head, { status: 513, text: `headers over ${limits.message} bytes` }, events);
        return at;
      }
      const byte = chunk[at++]!;
      this.#push(byte);
      if (byte === LF && this.#endsWithBlankLine()) {
        this.#startBody(events);
        return at;
      }
    }
    return at;
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) this.#grow(this.#length * 2);
    this.#bytes[this.#length++] = byte;
  }

  #grow(size: number): void {
    const larger = Buffer.alloc(size);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  #endsWithBlankLine(): boolean {
    const end = this.#length;
    const bytes = this.#bytes;
    return end >= 4 && bytes[end - 2] === CR && bytes[end - 3] === LF && bytes[end - 4] === CR;
  }

  #startBody(events: StreamEvent[]): void {
    const head = parseHead(this.#bytes.toString('latin1', 0, this.#length - 4));
    const length = this.#checkedLength(head);
    if (typeof length === 'object') {
      this.#fail(head, length, events);
      return;
    }
    this.#head = head;
    this.#headEnd = this.#length;
    this.#bodyLength = length;
    if (length === 0) this.#finish(events);
  }

  /** The Content-Length, or why the stream cannot go on. */
  #checkedLength(head: Head): number | Fault {
    if (!head.start) return { status: 400, text: 'not a SIP message' };
    const length = contentLength(head.headers);
    if (length === undefined) return { status: 400, text: 'no Content-Length, which a stream must have' };
    if (typeof length === 'object') return length;
    if (length > limits.body) return { status: 513, text: `body of ${length} bytes, allowed ${limits.body}` };
    const total = this.#length + length;
    if (total <= limits.message) return length;
    return { status: 513, text: `message of ${total} bytes, allowed ${limits.message}` };
  }

  #takeBody(chunk: Buffer, at: number, events: StreamEvent[]): number {
    const end = this.#headEnd + this.#bodyLength;
    const taken = Math.min(end - this.#length, chunk.length - at);
    if (end > this.#bytes.length) this.#grow(end);
    chunk.copy(this.#bytes, this.#length, at, at + taken);
    this.#length += taken;
    if (this.#length === end) this.#finish(events);
    return at + taken;
  }

  #finish(events: StreamEvent[]): void {
    const head = this.#head!;
    const bytes = this.#taken();
    try {
      events.push({ kind: 'message', message: finishMessage(head, bytes.subarray(this.#headEnd)), bytes });
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error;
      events.push({ kind: 'error', error, fatal: false, bytes });
    }
    this.#head = undefined;
    this.#length = 0;
  }

  #fail(head: Head, fault: Fault, events: StreamEvent[]): void {
    const bytes = this.#taken();
    this.#dead = true;
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    events.push({ kind: 'error', error: headError(head, fault), fatal: true, bytes });
  }

  /** A copy of the message so far; its place is used for the next one. */
  #taken(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }
}
