import { isIP, SocketAddress } from 'node:net';

/**
 * One spelling for each address: IPv4-mapped IPv6 becomes IPv4, IPv6 its short form, brackets and zone go.
 * @returns null when the text is no address
 */
export function normalizeAddress(text: string): string | null {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  const family = isIP(bare);
  if (family !== 6) return family === 4 ? bare : null;
  return new SocketAddress({ address: bare, family: 'ipv6' }).address.replace(/^::ffff:(?=[\d.]+$)/, '');
}
