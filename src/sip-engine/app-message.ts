import type { HeaderField, SipMessage } from './message.ts';
import { parseMessage, SipParseError } from './message.ts';
import { bracketed, type Endpoint, type Flow } from './transport.ts';

/**
 * SIP text as the application writes it: header names in lower case, a Content-Length that counts UTF-16 units (and is
 * therefore ignored: the body is the rest of the frame), headers that are the engine's to fill in.
 */

const BLANK_LINE = '\r\n\r\n';
const contentLengthLine = /\r\n(?:content-length|l)[ \t]*:[^\r\n]*/gi;

/** @throws SipParseError when the text is not a SIP message */
export function parseAppMessage(text: Buffer): SipMessage {
  const blank = text.indexOf(BLANK_LINE, 0, 'latin1');
  if (blank === -1) throw new SipParseError(400, 'no blank line after the headers');
  const head = text.toString('latin1', 0, blank).replace(contentLengthLine, '');
  const message = parseMessage(Buffer.from(head + BLANK_LINE, 'latin1'));
  message.body = text.subarray(blank + BLANK_LINE.length);
  return message;
}

/** `foo-bar` → `Foo-Bar`; names that begin with X- stay as they are, known ones are canonical already. */
function recased(name: string): string {
  if (/^x-/i.test(name) || name !== name.toLowerCase()) return name;
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}

/** Headers that the engine writes itself, from the request or the dialog, whatever the application says. */
const ours: ReadonlySet<string> = new Set([
  'Via',
  'Route',
  'Record-Route',
  'RSeq',
  'From',
  'To',
  'Call-ID',
  'CSeq',
  'Contact',
  'Max-Forwards',
  'Content-Type',
  'Content-Length',
]);

/** Headers of the application that go out, re-cased. */
export function passedOn(headers: readonly HeaderField[]): HeaderField[] {
  return headers
    .filter(({ name }) => !ours.has(name))
    .flatMap((field) => separateChallenges(field))
    .map(({ name, value }) => ({ name: recased(name), value }));
}

/** drachtio-srf joins several challenges in one field, where RFC 3261 §7.3.1 wants a field for each. */
function separateChallenges(field: HeaderField): HeaderField[] {
  if (field.name !== 'WWW-Authenticate' && field.name !== 'Proxy-Authenticate') return [field];
  return field.value.split(/,\s*(?=Digest\s)/i).map((value) => ({ name: field.name, value }));
}

/** `<sip:127.0.0.1:5060>`, over TCP and TLS with its `;transport=`, or a `sips` URI: how the peer reaches us. */
export function contactOf({ local, transport }: Flow, sips: boolean): string {
  if (sips) return `<sips:${sentBy(local)}>`;
  return `<sip:${sentBy(local)}${transport === 'udp' ? '' : `;transport=${transport}`}>`;
}

export const sentBy = ({ address, port }: Endpoint): string => `${bracketed(address)}:${port}`;

/** drachtio's shorthand: `sip:me@localhost` stands for the engine's own address. */
export function withOwnAddress(value: string, flow: Flow): string {
  if (!value.includes('@localhost')) return value;
  const bare = value.replace(/@localhost(?::\d+)?(?=[;>?]|$)/, `@${sentBy(flow.local)}`);
  if (bare.includes('<')) return bare;
  const [, uri = bare, parameters = ''] = /^([^;]*)(.*)$/s.exec(bare) ?? [];
  return `<${uri}>${parameters}`;
}

/**
 * The Content-Type of a body: what the application says, else `application/sdp` for what begins like SDP.
 * @returns null when there is a body and nobody knows its type; undefined when none is needed
 */
export function contentType(headers: readonly HeaderField[], body: Buffer): string | null | undefined {
  const given = headers.find(({ name }) => name === 'Content-Type')?.value;
  if (body.length === 0) return undefined;
  if (given !== undefined) return given;
  return body.toString('latin1', 0, 3) === 'v=0' ? 'application/sdp' : null;
}
