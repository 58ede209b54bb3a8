import { isIP, SocketAddress } from 'node:net';

/**
 * The one spelling in which the system tells an address: an IPv6 address may be written in many, with capitals and zeros
 * (RFC 5952 §2), and with or without brackets.
 * @returns undefined for what is no address, such as a host name
 */
export function numericAddress(text: string): string | undefined {
  const bare = text.replace(/^\[|\]$/g, '');
  const family = isIP(bare);
  if (family === 0) return undefined;
  // One with a zone is known to this machine alone, and has no other spelling.
  if (family === 4 || bare.includes('%')) return bare;
  return new SocketAddress({ address: bare, family: 'ipv6' }).address;
}
