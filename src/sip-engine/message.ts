/**
 * SIP messages: bytes in, a plain object out, and the same bytes out again (RFC 3261 §7).
 *
 * **Text is latin1**: one byte is one character, so nothing is lost on the way in and out, whatever the bytes mean.
 * A header that came as UTF-8 is therefore not readable text inside the engine, but leaves it as the same UTF-8: on the
 * wire, and on the drachtio link, which is UTF-8 and carries what `serializeMessage` wrote. Bodies are Buffers. Whoever
 * puts text of his own with characters over U+007F into a header has to give its UTF-8 bytes
 * (`Buffer.from(text).toString('latin1')`); `serializeMessage` refuses what is not bytes.
 *
 * **Lines end in CRLF, nothing else.** RFC 3261 §7 knows no other end and no torture message of RFC 4475 asks for one. A
 * lone CR or LF is refused, because the next parser (drachtio-srf) would see other lines than this one. Folded lines
 * are unfolded into one space.
 */
import { canonicalName, knownName, listHeaders } from './header-names.ts';
import { limits } from './limits.ts';
import { contentLength, type Head, parseHead, trim } from './message-head.ts';

export interface HeaderField {
  /** Canonical (`Call-ID`), compact forms expanded; unknown names as written. */
  name: string;
  /** Unfolded, without white space at the ends. */
  value: string;
}

export interface SipRequest {
  kind: 'request';
  /** As written: methods are case-sensitive and never percent-decoded. */
  method: string;
  uri: string;
  headers: HeaderField[];
  body: Buffer;
}

export interface SipResponse {
  kind: 'response';
  status: number;
  reason: string;
  headers: HeaderField[];
  body: Buffer;
}

export type SipMessage = SipRequest | SipResponse;

/** A message that cannot be read. `status` is what a request is to be answered with, if `partial` can be answered at all. */
export class SipParseError extends Error {
  readonly status: number;
  /** What could be read of a request (no body); undefined for responses and for what is not SIP. */
  readonly partial: SipRequest | undefined;

  constructor(status: number, message: string, partial?: SipRequest) {
    super(message);
    this.name = 'SipParseError';
    this.status = status;
    this.partial = partial;
  }
}

const noBody = Buffer.alloc(0);

/**
 * Reads one datagram, or one message cut out of a stream. Bytes behind the Content-Length are ignored; without one
 * the body is the rest (RFC 3261 §18.3).
 * @throws SipParseError
 */
export function parseMessage(bytes: Buffer): SipMessage {
  let start = 0;
  while (bytes[start] === 0x0d && bytes[start + 1] === 0x0a) start += 2;
  const blank = bytes.indexOf('\r\n\r\n', start, 'latin1');
  const headEnd = blank < 0 ? bytes.length : blank;
  if (bytes.length > limits.message) {
    // Only as much of the head is read as a legal message could have.
    const head = parseHead(bytes.toString('latin1', start, Math.min(headEnd, start + limits.message)));
    throw headError(head, {
      status: 513,
      text: `message of ${bytes.length} bytes, allowed ${limits.message}`,
    });
  }
  const head = parseHead(bytes.toString('latin1', start, headEnd));
  if (blank < 0) throw headError(head, { status: 400, text: 'no blank line after the headers' });
  return finishMessage(head, bytes.subarray(blank + 4));
}

/** Puts head and body together; `rest` is what came behind the blank line. @throws SipParseError */
export function finishMessage(head: Head, rest: Buffer): SipMessage {
  const { start, headers } = head;
  if (!start || head.fault) throw headError(head);
  const length = contentLength(headers);
  if (typeof length === 'object') throw headError(head, length);
  if (length !== undefined && length > rest.length) {
    const text = `Content-Length is ${length}, but only ${rest.length} bytes of body came`;
    throw headError(head, { status: 400, text });
  }
  const body = length === undefined ? rest : rest.subarray(0, length);
  if (body.length > limits.body) {
    throw headError(head, { status: 513, text: `body of ${body.length} bytes, allowed ${limits.body}` });
  }
  return { ...start, headers, body };
}

export function headError(head: Head, fault = head.fault): SipParseError {
  const { start, headers } = head;
  const partial: SipRequest | undefined =
    start?.kind === 'request' ? { ...start, headers, body: noBody } : undefined;
  const { status, text } = fault ?? { status: 400, text: 'not a SIP message' };
  return new SipParseError(status, text, partial);
}

/**
 * The bytes of a message. Header order and values stay as they are; Content-Length always tells the bytes of the body, in
 * the place where it stands, or last.
 * @throws TypeError when a header or the start line has a line end, or characters that are not bytes
 */
export function serializeMessage(message: SipMessage): Buffer {
  let head =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`;
  checkText(head);
  let counted = false;
  for (const { name, value } of message.headers) {
    if (name === 'Content-Length') {
      if (!counted) head += `\r\nContent-Length: ${message.body.length}`;
      counted = true;
    } else {
      checkText(value);
      head += `\r\n${name}: ${value}`;
    }
  }
  if (!counted) head += `\r\nContent-Length: ${message.body.length}`;
  head += '\r\n\r\n';
  const bytes = Buffer.allocUnsafe(head.length + message.body.length);
  bytes.write(head, 'latin1');
  bytes.set(message.body, head.length);
  return bytes;
}

const notHeaderText = /[\r\n\u0100-\uffff]/;

function checkText(text: string): void {
  if (notHeaderText.test(text)) {
    throw new TypeError(
      `line end or character over U+00FF in SIP text: ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
}

/** The value of the first header of that name (any spelling), unsplit. */
export function header(message: SipMessage, name: string): string | undefined {
  return message.headers.find(named(name))?.value;
}

/** Whether a field has that name. Known names have one spelling in every message, which is quick to compare. */
function named(name: string): (field: HeaderField) => boolean {
  const known = knownName(name);
  if (known !== undefined) return (field) => field.name === known;
  const wanted = name.toLowerCase();
  return (field) => field.name.toLowerCase() === wanted;
}

/** All values of that name, in order; comma lists are split where the grammar makes them lists, empty elements left out. */
export function headersOf(message: SipMessage, name: string): string[] {
  const values = message.headers.filter(named(name)).map((field) => field.value);
  if (!listHeaders.has(canonicalName(name))) return values;
  return values.flatMap(splitList).filter((value) => value !== '');
}

/** Splits at the commas that are not inside of quotes or angle brackets; elements are trimmed and may be empty. */
export function splitList(value: string): string[] {
  if (!value.includes(',')) return [value];
  const elements: string[] = [];
  let start = 0;
  let quoted = false;
  let angled = false;
  for (let i = 0; i < value.length; i++) {
    const character = value[i];
    if (quoted) {
      if (character === '\\') i++;
      else if (character === '"') quoted = false;
    } else if (character === '"' && !angled) quoted = true;
    else if (character === '<') angled = true;
    else if (character === '>') angled = false;
    else if (character === ',' && !angled) {
      elements.push(trim(value.slice(start, i), 0));
      start = i + 1;
    }
  }
  elements.push(trim(value.slice(start), 0));
  return elements;
}

/** Adds a header behind all others. */
export function addHeader(message: SipMessage, name: string, value: string): void {
  message.headers.push({ name: canonicalName(name), value });
}

/** Replaces all headers of that name with one, in the place of the first; adds it when there was none. */
export function setHeader(message: SipMessage, name: string, value: string): void {
  const canonical = canonicalName(name);
  const wanted = canonical.toLowerCase();
  const at = message.headers.findIndex((field) => field.name.toLowerCase() === wanted);
  removeHeader(message, name);
  message.headers.splice(at < 0 ? message.headers.length : at, 0, { name: canonical, value });
}

/** Removes all headers of that name. */
export function removeHeader(message: SipMessage, name: string): void {
  const wanted = canonicalName(name).toLowerCase();
  message.headers = message.headers.filter((field) => field.name.toLowerCase() !== wanted);
}
