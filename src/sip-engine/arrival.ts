import { header, type SipMessage } from './message.ts';
import type { Flow } from './transport.ts';

/** A message that came and is to be handled, now or when there is time. */
export interface Arrival {
  flow: Flow;
  /** Whether it asks for something new, rather than belonging to a call or transaction that there is. */
  isNew(): boolean;
  handle(): void;
}

/** So much of a datagram is looked at; what has its To behind that is taken for new. */
const HEAD_BYTES = 4_096;

const tagged = /;[ \t]*tag[ \t]*=/i;
const toLine = /\r\n(?:to|t)[ \t]*:([^\r\n]*)/i;

/**
 * Whether a datagram asks for something new, by a look at its bytes. A CANCEL counts as new, for it must not overtake its
 * INVITE.
 */
export function isNewRequest(bytes: Buffer): boolean {
  const head = bytes.toString('latin1', 0, HEAD_BYTES);
  if (head.startsWith('SIP/2.0 ') || head.startsWith('ACK ')) return false;
  return !tagged.test(toLine.exec(head)?.[1] ?? '');
}

/** The same for a message that was read already. */
export const asksForNew = (message: SipMessage): boolean =>
  message.kind === 'request' && message.method !== 'ACK' && !tagged.test(header(message, 'To') ?? '');
