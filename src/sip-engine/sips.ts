import { type HeaderField, headersOf, type SipRequest } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import type { Flow } from './transport.ts';

/** What a `sips` URI asks for: TLS on every hop (RFC 3261 §26.2.2, RFC 5630). */

/** With the 480 to a `sips` request that did not come over TLS (RFC 5630 §6.3). */
export const TLS_NEEDED: HeaderField = { name: 'Warning', value: '381 kallglot "SIPS Required"' };

/** Somebody on the way has sent on in the clear what was to be secure: by its URI, or by the call that it is part of. */
export const needsTls = (request: SipRequest, { transport }: Flow, dialog?: { sips: boolean }): boolean =>
  transport !== 'tls' && (dialog?.sips === true || isSips(request.uri));

/**
 * Whether our Contact has to be a `sips` URI: when the Request-URI is one, or the topmost Record-Route, or without a
 * Record-Route the Contact (RFC 3261 §12.1.1). Over another transport there is no such address of ours.
 */
export function answersAsSips(request: SipRequest, { transport }: Flow): boolean {
  if (transport !== 'tls') return false;
  const [route = headersOf(request, 'Contact')[0]] = headersOf(request, 'Record-Route');
  return isSips(request.uri) || isSips(parseNameAddr(route ?? '')?.uri ?? '');
}

export const isSips = (uri: string): boolean => /^sips:/i.test(uri);
