import { isIP, isIPv6, SocketAddress } from 'node:net';
import { firstReachable, localAddresses } from '../local-addresses.ts';

/**
 * Numeric addresses as media needs them: compared whatever way they are written, mapped for the socket that sends.
 */

const MAPPED = '::ffff:';

/** One form per address: IPv6 canonical and without a zone, IPv4-mapped IPv6 as its IPv4. Not an address: ''. */
export function comparable(address: string): string {
  const bare = address.replace(/%.*$/, '');
  if (!isIPv6(bare)) return isIP(bare) ? bare : '';
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  return canonical.startsWith(MAPPED) && canonical.includes('.') ? canonical.slice(MAPPED.length) : canonical;
}

/** The address as a socket of this family sends to it. */
export function sendable(address: string, family: 4 | 6): string {
  const plain = comparable(address);
  if (family === 4) return plain;
  return isIPv6(plain) ? address : `${MAPPED}${plain}`;
}

/** `0.0.0.0`, `::`, or nothing that could be sent to. */
export function isUnspecified(address: string): boolean {
  const plain = comparable(address);
  return plain === '' || plain === '0.0.0.0' || plain === '::';
}

/** Whether a socket can be bound to it: an interface of this machine has it now, and no zone is needed (link-local). */
export function isBindable(address: string, local = localAddresses()): boolean {
  const plain = comparable(address);
  return local.some((entry) => comparable(entry.address) === plain && !entry.scopeid);
}

/** The first address of this machine that others can reach, else its loopback. */
export function firstLocalAddress(family: 4 | 6, local = localAddresses()): string {
  return firstReachable(family, local) ?? (family === 4 ? '127.0.0.1' : '::1');
}
