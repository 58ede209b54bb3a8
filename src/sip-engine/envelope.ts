import { parseCSeq } from './cseq.ts';
import { header, headersOf, type SipMessage } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { parseVia, type Via } from './via.ts';

/** What transactions and dialogs are told apart by (RFC 3261 §12, §17.2.3), read from a message once. */
export interface Envelope {
  /** Topmost Via. */
  via: Via;
  branch: string;
  callId: string;
  fromTag: string;
  /** Absent in a request outside a dialog. */
  toTag: string | undefined;
  cseq: number;
  /** Method of the CSeq header: of a response, that of its request. */
  method: string;
}

/** @returns undefined when a header that is needed is absent or does not parse */
export function envelopeOf(message: SipMessage): Envelope | undefined {
  const via = parseVia(headersOf(message, 'Via')[0] ?? '');
  const from = parseNameAddr(header(message, 'From') ?? '');
  const to = parseNameAddr(header(message, 'To') ?? '');
  const cseq = parseCSeq(header(message, 'CSeq') ?? '');
  const callId = header(message, 'Call-ID');
  // A bar would shift the tokens of the drachtio protocol; no word of RFC 3261 §25.1 holds one.
  if (via === undefined || from === undefined || to === undefined || cseq === undefined) return undefined;
  if (callId === undefined || callId === '' || callId.includes('|')) return undefined;
  return {
    via,
    branch: via.params.get('branch') ?? '',
    callId,
    fromTag: from.params.get('tag') ?? '',
    toTag: to.params.get('tag') ?? undefined,
    cseq: cseq.number,
    method: cseq.method,
  };
}

/** RFC 3261 §8.1.1.7: a branch that begins so is unique, and enough to match by. */
export const MAGIC_COOKIE = 'z9hG4bK';

/**
 * The key of a server transaction (RFC 3261 §17.2.3). ACK belongs to its INVITE; CANCEL is asked for with `INVITE`.
 * Without the magic cookie the rules of RFC 2543 apply; the To tag is left out because the ACK's differs.
 */
export function serverKey(envelope: Envelope, uri: string, method: string): string {
  const { via, branch } = envelope;
  const of = method === 'ACK' ? 'INVITE' : method;
  const sentBy = `${via.host.toLowerCase()}:${via.port ?? ''}`;
  if (branch.startsWith(MAGIC_COOKIE)) return `${branch} ${sentBy} ${of}`;
  return `2543 ${uri} ${envelope.fromTag} ${envelope.callId} ${envelope.cseq} ${sentBy} ${of}`;
}

/** The key of a client transaction (RFC 3261 §17.1.3). */
export const clientKey = (branch: string, method: string): string => `${branch} ${method}`;
