import { decodesInApplication } from './application-copy.ts';
import { parseCSeq } from './cseq.ts';
import { limits } from './limits.ts';
import {
  type HeaderField,
  header,
  headersOf,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  splitList,
} from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { parseNumber } from './scanner.ts';
import { parseUri } from './uri.ts';
import { beginsAsVia, parseVia } from './via.ts';

/** The methods that there are (IANA), and that an application can ask for. Escapes in a method are none (RFC 4475 §3.1.1.5). */
const knownMethods: ReadonlySet<string> = new Set(
  `ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE`.split(
    ' ',
  ),
);

/** What a request is to be answered with. */
export interface Rejection {
  readonly status: number;
  /** Reason phrase; it says which header is wrong. */
  readonly reason: string;
  /** What the answer has to carry beside the usual. */
  readonly headers?: readonly HeaderField[];
}

/**
 * The checks of RFC 3261 §8.2 and §16.3 on a request that parsed, and what drachtio-srf needs to read it without a
 * throw. @returns null when it may be handled
 *
 * Left to others: Max-Forwards of 0 (only a proxy refuses it, §16.3, and this is a user agent), Require (the
 * application knows what it supports), which of the known methods are taken (the application's routes), and a From
 * without a tag (RFC 2543 callers, §12.1.1).
 */
export function validateRequest(request: SipRequest): Rejection | null {
  if (!knownMethods.has(request.method)) return { status: 501, reason: 'Not Implemented' };
  const vias = viaCount(request);
  if (vias > limits.vias) {
    return { status: 513, reason: `Message Too Large (${vias} Via values, allowed ${limits.vias})` };
  }
  if (request.body.length > limits.multipartBody && isMultipart(request)) {
    return {
      status: 513,
      reason: `Message Too Large (multipart, allowed ${limits.multipartBody} bytes)`,
    };
  }
  const fault = commonFault(request) ?? requestFault(request);
  return fault === undefined ? checkRequestUri(request.uri) : badRequest(fault);
}

/** @returns null when the response may be handled, else why it has to be dropped, in words for the log */
export function validateResponse(response: SipResponse): string | null {
  if (viaCount(response) > limits.vias) return `more than ${limits.vias} Via values`;
  // U+2028 and U+2029 end a line for drachtio-srf's status line, which then reads none at all.
  if (/\xe2\x80[\xa8\xa9]/.test(response.reason)) return 'line separator in the reason phrase';
  if (response.body.length > limits.multipartBody && isMultipart(response)) return 'multipart body too large';
  const fault = commonFault(response);
  if (fault !== undefined) return fault;
  return decodesInApplication(header(response, 'CSeq')!) ? 'escape in the method of CSeq' : null;
}

/** Whether a request can be answered: never an ACK (RFC 3261 §17), and only where a Via tells the way (§18.2.2). */
export function isAnswerable(request: SipRequest): boolean {
  const via = headersOf(request, 'Via')[0];
  return request.method !== 'ACK' && via !== undefined && beginsAsVia(via);
}

function badRequest(fault: string): Rejection {
  return { status: 400, reason: `Bad Request (${fault})` };
}

function isMultipart(message: SipMessage): boolean {
  return header(message, 'Content-Type')?.toLowerCase().includes('multipart/') ?? false;
}

function viaCount(message: SipMessage): number {
  return headersOf(message, 'Via').length;
}

/** The first thing that is wrong with what requests and responses have in common. */
function commonFault(message: SipMessage): string | undefined {
  return (
    listFault(message, 'Via', (text) => parseVia(text) !== undefined, 1) ??
    singleFault(message, 'From', isAddress) ??
    singleFault(message, 'To', isAddress) ??
    singleFault(message, 'Call-ID', isCallId) ??
    singleFault(message, 'CSeq', (text) => parseCSeq(text) !== undefined) ??
    contactFault(message) ??
    listFault(message, 'Route', isAddress, 0) ??
    listFault(message, 'Record-Route', isAddress, 0)
  );
}

function requestFault(request: SipRequest): string | undefined {
  if (parseCSeq(header(request, 'CSeq')!)?.method !== request.method) {
    return 'CSeq names another method than the request line';
  }
  if (request.method === 'INVITE' && headersOf(request, 'Contact').length !== 1) {
    return 'INVITE without exactly one Contact';
  }
  // Old phones leave it out, and only a proxy needs it (§16.3).
  if (fieldsOf(request, 'Max-Forwards').length === 0) return undefined;
  return singleFault(request, 'Max-Forwards', (text) => parseNumber(text, 255) !== undefined);
}

/** Exactly one field of that name, and it parses. */
function singleFault(
  message: SipMessage,
  name: string,
  parses: (text: string) => boolean,
): string | undefined {
  const values = fieldsOf(message, name);
  if (values.length === 0) return `no ${name}`;
  if (values.length > 1) return `more than one ${name}`;
  return parses(values[0]!) ? undefined : `${name} does not parse`;
}

/** At least `least` values, and every one parses, empty ones between commas included. */
function listFault(
  message: SipMessage,
  name: string,
  parses: (text: string) => boolean,
  least: number,
): string | undefined {
  const fields = fieldsOf(message, name);
  if (fields.length < least) return `no ${name}`;
  return fields.every((field) => splitList(field).every(parses)) ? undefined : `${name} does not parse`;
}

/** `*` stands alone, and only where bindings are removed (RFC 3261 §10.2.2). */
function contactFault(message: SipMessage): string | undefined {
  const fields = fieldsOf(message, 'Contact');
  if (fields.length === 1 && fields[0] === '*') {
    return message.kind === 'request' && message.method === 'REGISTER' ? undefined : 'Contact is *';
  }
  return listFault(message, 'Contact', isAddress, 0);
}

function isAddress(text: string): boolean {
  const address = parseNameAddr(text);
  return address !== undefined && address.uri !== '*';
}

/**
 * Printable ASCII without white space. Looser than `word [ "@" word ]`, as real ones are, but never `|`, which separates
 * tokens on the drachtio link.
 */
function isCallId(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x7c) return false;
  }
  return text !== '';
}

function checkRequestUri(text: string): Rejection | null {
  if (text.length > limits.uri) return { status: 513, reason: 'Message Too Large (Request-URI)' };
  const uri = parseUri(text);
  if (!uri) return badRequest('Request-URI does not parse');
  // RFC 3261 §19.1.1: headers are not allowed in a Request-URI.
  if (uri.headers !== undefined) return badRequest('headers in the Request-URI');
  if (uri.scheme === 'sip' || uri.scheme === 'sips' || uri.scheme === 'tel') return null;
  return { status: 416, reason: 'Unsupported URI Scheme' };
}

function fieldsOf(message: SipMessage, canonical: string): string[] {
  return message.headers.filter((field) => field.name === canonical).map((field) => field.value);
}
