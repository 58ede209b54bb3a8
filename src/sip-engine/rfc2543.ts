import { type Envelope, MAGIC_COOKIE } from './envelope.ts';
import { addHeader, header, type SipRequest, type SipResponse } from './message.ts';
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

/**
 * The 2xx to an INVITE of ours as the application gets it, which takes none but a 200 with a Contact for the beginning of a
 * call: any 2xx is a 200 (RFC 3261 §8.1.3.2), and whoever names no Contact is called by the URI that has led to it.
 */
export function completeAnswer(answer: SipResponse, target: string): SipResponse {
  const whole: SipResponse = { ...answer, status: 200, headers: [...answer.headers] };
  if (header(answer, 'Contact') === undefined) addHeader(whole, 'Contact', `<${target}>`);
  return whole;
}
