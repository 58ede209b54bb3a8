import { type Envelope, MAGIC_COOKIE } from './envelope.ts';
import { addHeader, header, type SipRequest } from './message.ts';
import { parseNameAddr } from './name-addr.ts';

/**
 * An INVITE of RFC 2543 needs no Contact: its caller is called back at the URI of From (RFC 4475 §3.4.1 asks to take it).
 * It gets one that says so, which the dialog and the application rely on.
 */
export function completeInvite(request: SipRequest, envelope: Envelope | undefined): void {
  if (request.method !== 'INVITE' || envelope === undefined || envelope.branch.startsWith(MAGIC_COOKIE))
    return;
  if (header(request, 'Contact') !== undefined) return;
  const from = parseNameAddr(header(request, 'From') ?? '');
  if (from !== undefined) addHeader(request, 'Contact', `<${from.uri}>`);
}
