import { headersOf, type SipResponse } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { isDestination } from './proxy-order.ts';
import { isSips } from './sips.ts';

/**
 * Where a 3xx sends its caller: the Contacts that can be called, the most wanted first (RFC 3261 §8.1.3.4, §20.10), each
 * once, without those in `tried`.
 * @param secure the request asks for `sips`, which a redirect must not undo (RFC 3261 §16.5)
 */
export function redirectTargets(
  response: SipResponse,
  tried: ReadonlySet<string>,
  secure: boolean,
): string[] {
  const contacts = headersOf(response, 'Contact').flatMap((value) => parseNameAddr(value) ?? []);
  const wanted = contacts.toSorted((a, b) => weight(b.params.get('q')) - weight(a.params.get('q')));
  const targets = wanted.map(({ uri }) => uri).filter((uri) => isDestination(uri) && !tried.has(uri));
  return [...new Set(targets)].filter((uri) => !secure || isSips(uri));
}

/** A `q` of 0 to 1; absent or unreadable it is 1. */
function weight(q: string | null | undefined): number {
  const value = Number(q ?? 1);
  return value >= 0 && value <= 1 ? value : 1;
}
