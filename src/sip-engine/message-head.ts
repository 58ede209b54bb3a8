import { canonicalName, structuredHeaders } from './header-names.ts';
import { limits } from './limits.ts';
import type { HeaderField, SipRequest, SipResponse } from './message.ts';
import { consistsOf, parseNumber, tokenBytes } from './scanner.ts';

/** What was wrong first; reading goes on after it, so that the answer can carry the headers behind it. */
export interface Fault {
  status: number;
  text: string;
}

/** Start line and headers, with the first fault in them. */
export interface Head {
  start: Omit<SipRequest, 'headers' | 'body'> | Omit<SipResponse, 'headers' | 'body'> | undefined;
  headers: HeaderField[];
  fault: Fault | undefined;
}

/** The Content-Length of a message; undefined when it has none, a fault when it has several or it is not a number. */
export function contentLength(headers: readonly HeaderField[]): number | undefined | Fault {
  const values = headers.filter((field) => field.name === 'Content-Length');
  if (values.length === 0) return undefined;
  const length = values.length === 1 ? parseNumber(values[0]!.value, Number.MAX_SAFE_INTEGER) : undefined;
  return length ?? { status: 400, text: 'Content-Length is repeated or not a number' };
}

/**
 * Reads a start line and headers. Never throws: the first fault is in the result.
 * @param text everything in front of the blank line
 */
export function parseHead(text: string): Head {
  const head: Head = { start: undefined, headers: [], fault: undefined };
  const fail = (status: number, message: string): void => {
    head.fault ??= { status, text: message };
  };
  let at = lineEnd(text, 0);
  head.start = parseStartLine(text.slice(0, at), fail);
  while (at < text.length && head.start) {
    const from = at + 2;
    let end = lineEnd(text, from);
    // A line that begins with white space goes on with the one before it.
    while (isSpace(text.charCodeAt(end + 2))) end = lineEnd(text, end + 2);
    at = end;
    if (head.headers.length >= limits.headers) {
      fail(513, `more than ${limits.headers} headers`);
      break;
    }
    const field = parseHeaderLine(text, from, end, fail);
    if (field) head.headers.push(field);
  }
  return head;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end < 0 ? text.length : end;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

type Fail = (status: number, message: string) => void;

function parseHeaderLine(text: string, from: number, end: number, fail: Fail): HeaderField | undefined {
  if (end - from > limits.line) {
    fail(513, `header line of ${end - from} bytes, allowed ${limits.line}`);
    return undefined;
  }
  const line = text.slice(from, end);
  const colon = line.indexOf(':');
  const name = colon < 0 ? '' : line.slice(0, trimmedEnd(line, 0, colon));
  if (!consistsOf(name, tokenBytes)) {
    fail(400, `not a header line: ${JSON.stringify(line.slice(0, 40))}`);
    return undefined;
  }
  const field = { name: canonicalName(name), value: unfold(trim(line, colon + 1)) };
  if (field.value.includes('\r') || field.value.includes('\n')) {
    fail(400, `lone CR or LF in ${field.name}`);
    return undefined;
  }
  if (field.value.length > limits.structuredValue && structuredHeaders.has(field.name)) {
    fail(513, `${field.name} of ${field.value.length} bytes, allowed ${limits.structuredValue}`);
    return undefined;
  }
  return field;
}

/** Without white space at the ends. Only SP, HT and folds: `String.trim` would also take bytes such as 0xA0, half of a UTF-8 character. */
export function trim(text: string, from: number): string {
  let start = from;
  while (isSpace(text.charCodeAt(start)) || isFold(text, start)) start++;
  return text.slice(start, trimmedEnd(text, start, text.length));
}

function trimmedEnd(text: string, start: number, end: number): number {
  let last = end;
  while (last > start && (isSpace(text.charCodeAt(last - 1)) || isFold(text, last - 1))) last--;
  return last;
}

/** Whether this character belongs to a CRLF, which inside a header line always is a fold. */
function isFold(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (
    (code === 0x0d && text.charCodeAt(at + 1) === 0x0a) || (code === 0x0a && text.charCodeAt(at - 1) === 0x0d)
  );
}

/** Replaces each CRLF and the white space around it with one space. */
function unfold(value: string): string {
  if (!value.includes('\r\n')) return value;
  return value
    .split('\r\n')
    .map((part) => part.slice(0, trimmedEnd(part, 0, part.length)))
    .map((part, i) => (i === 0 ? part : trim(part, 0)))
    .join(' ');
}

function parseStartLine(line: string, fail: Fail): Head['start'] {
  if (line.length > limits.line) fail(513, `start line of ${line.length} bytes, allowed ${limits.line}`);
  if (line.slice(0, 4).toUpperCase() === 'SIP/') return parseStatusLine(line, fail);
  const first = line.indexOf(' ');
  const last = line.trimEnd().lastIndexOf(' ');
  const method = line.slice(0, Math.max(first, 0));
  const version = line.slice(last + 1);
  const uri = line.slice(first + 1, Math.max(last, first + 1));
  if (!consistsOf(method, tokenBytes) || version.slice(0, 4).toUpperCase() !== 'SIP/') {
    fail(400, 'not a SIP message');
    return undefined;
  }
  checkVersion(version, fail);
  // Single spaces between the three parts, and none in them (RFC 3261 §7.1).
  for (let i = 0; i < uri.length; i++) {
    const code = uri.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) {
      fail(400, 'white space or bytes that are not ASCII in the request line');
      break;
    }
  }
  if (uri === '') fail(400, 'no Request-URI');
  return { kind: 'request', method, uri };
}

function checkVersion(version: string, fail: Fail): void {
  if (version.toUpperCase() === 'SIP/2.0') return;
  const [major = '', minor = '', ...more] = version.slice(4).split('.');
  const isVersion = parseNumber(major, 1e9) !== undefined && parseNumber(minor, 1e9) !== undefined;
  if (isVersion && more.length === 0) fail(505, 'SIP version other than 2.0');
  else fail(400, 'no SIP version at the end of the request line');
}

function parseStatusLine(line: string, fail: Fail): Head['start'] {
  checkVersion(line.slice(0, 7), fail);
  const status = line.slice(8, 11);
  const number = parseNumber(status, 699) ?? 0;
  if (line[7] !== ' ' || status.length !== 3 || number < 100 || (line.length > 11 && line[11] !== ' ')) {
    fail(400, 'not a status line');
  }
  const reason = line.slice(12);
  if (reason.includes('\r') || reason.includes('\n')) fail(400, 'lone CR or LF in the status line');
  return { kind: 'response', status: number, reason };
}
