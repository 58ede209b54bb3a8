import { normalizeAddress } from './address.ts';
import type { Allowlist } from './allowlist.ts';

/** Where a request comes from. Source: decisions §3; RFC 3261 §18.2.1, RFC 3581. */

const MAX_VIA_CHARACTERS = 8192;
const MAX_HOPS = 32;

/**
 * The caller's address: the socket peer's, and no header replaces it, unless the peer is a trusted proxy. Then it is that
 * of the topmost hop in `Via` that is none; the proxies must overwrite a `received` that they did not set themselves.
 * Where `Via` does not tell (a host name without `received`, trusted hops only), it is the peer's all the same.
 * @param via all values of `Via`, topmost first, joined by commas
 */
export function sourceAddress(peer: string, via: string, trustedProxies: Allowlist): string {
  const source = normalizeAddress(peer) ?? peer;
  if (!trustedProxies.includes(source) || via.length > MAX_VIA_CHARACTERS) return source;
  // The topmost Via is the peer's own, and whose that is the socket knows better.
  for (const hop of via.split(',').slice(1, MAX_HOPS)) {
    const address = addressOfHop(hop);
    if (address === null) return source;
    if (!trustedProxies.includes(address)) return address;
  }
  return source;
}

/** `received` (the last one, should there be several), else sent-by. */
function addressOfHop(hop: string): string | null {
  const received = [...hop.matchAll(/;\s*received\s*=\s*([^\s;]+)/gi)].at(-1)?.[1];
  const sentBy = /^\s*SIP\s*\/\s*2\.0\s*\/\s*\w+\s+(\[[^\]\s]+\]|[^\s:;]+)/i.exec(hop)?.[1];
  return normalizeAddress(received ?? sentBy ?? '');
}
