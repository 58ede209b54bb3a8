import { readFileSync } from 'node:fs';
import { envelopeOf } from '../../src/sip-engine/envelope.ts';
import { parseMessage, type SipMessage, SipParseError } from '../../src/sip-engine/message.ts';
import { completeInvite } from '../../src/sip-engine/rfc2543.ts';
import { isAnswerable, validateRequest, validateResponse } from '../../src/sip-engine/validate.ts';

/** What comes of a datagram: it is handled, answered with a status, or dropped. */
export type Verdict = 'handled' | 'dropped' | number;

/** Parses and validates the way a transport does. @throws whatever is not a SipParseError */
export function judge(bytes: Buffer): { verdict: Verdict; message?: SipMessage } {
  try {
    const message = parseMessage(bytes);
    if (message.kind === 'response') {
      return { verdict: validateResponse(message) === null ? 'handled' : 'dropped', message };
    }
    completeInvite(message, envelopeOf(message));
    const rejection = validateRequest(message);
    if (rejection === null) return { verdict: 'handled', message };
    return { verdict: isAnswerable(message) ? rejection.status : 'dropped', message };
  } catch (error) {
    if (!(error instanceof SipParseError)) throw error;
    const answerable = error.partial !== undefined && isAnswerable(error.partial);
    return { verdict: answerable ? error.status : 'dropped' };
  }
}

/** A message of `test/fixtures/sip/`. */
export function fixture(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/sip/${name}.dat`, import.meta.url));
}

/** A message from its lines and body; CRLF is added, characters are bytes. */
export function sip(lines: readonly string[], body = ''): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

/** The lines of a correct request, with replacements: `{ To: '...' }` changes, `{ To: null }` leaves out. */
export function requestLines(method = 'INVITE', changes: Record<string, string | null> = {}): string[] {
  const headers: Record<string, string | null> = {
    Via: 'SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK776asdhds',
    'Max-Forwards': '70',
    From: '"Alice" <sip:alice@example.com>;tag=1928301774',
    To: '<sip:bob@example.com>',
    'Call-ID': 'a84b4c76e66710@pc33.example.com',
    CSeq: `314159 ${method}`,
    Contact: '<sip:alice@192.0.2.1>',
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : `${name}: ${value}`,
  );
  return [`${method} sip:bob@example.com SIP/2.0`, ...lines];
}
