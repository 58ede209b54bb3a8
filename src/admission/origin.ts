import { normalizeAddress } from './address.ts';
import type { Allowlist } from './allowlist.ts';

/** Where a request comes from. Source: decisions §3; RFC 3261 §18.2.1, RFC 3581. */

const MAX_VIA_CHARACTERS = 8192;
const MAX_HOPS = 32;

/** Who sent a request, and how. */
export interface Origin {
  /** Numeric address. */
  address: string;
  /** `udp`, `tcp`, `tls`, `ws`, `wss`. */
  transport: string;
}

/**
 * The caller's address is the socket peer's, and no header replaces it, unless the peer is a trusted proxy. Then it is that
 * of the topmost hop in `Via` that is none; the proxies must overwrite a `received` that they did not set themselves, and
 * see to it that the transport in `Via` is the one that was spoken. Where `Via` does not tell (a host name without
 * `received`, trusted hops only), it is the peer's all the same.
 * @param via all values of `Via`, topmost first, joined by commas
 */
export function originOf(peer: Origin, via: string, trustedProxies: Allowlist): Origin {
  const source = { ...peer, address: normalizeAddress(peer.address) ?? peer.address };
  if (!trustedProxies.includes(source.address) || via.length > MAX_VIA_CHARACTERS) return source;
  // The topmost Via is the peer's own, and whose that is the socket knows better.
  for (const hop of via.split(',').slice(1, MAX_HOPS)) {
    const origin = originOfHop(hop);
    if (origin === null) return source;
    if (!trustedProxies.includes(origin.address)) return origin;
  }
  return source;
}

/** `received` (the last one, should there be several), else sent-by. */
function originOfHop(hop: string): Origin | null {
  const received = [...hop.matchAll(/;\s*received\s*=\s*([^\s;]+)/gi)].at(-1)?.[1];
  const [, transport = '', sentBy = ''] =
    /^\s*SIP\s*\/\s*2\.0\s*\/\s*(\w+)\s+(\[[^\]\s]+\]|[^\s:;]+)/i.exec(hop) ?? [];
  const address = normalizeAddress(received ?? sentBy);
  return address === null ? null : { address, transport: transport.toLowerCase() };
}
