import type { RemoteInfo } from 'node:dgram';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import { addressBytes } from '../address-bytes.ts';

/**
 * `struct sockaddr_in` and `struct sockaddr_in6` of Linux on a little-endian machine: family (16 bits), port (big-endian),
 * then four bytes of address; or flow information (4 bytes), 16 bytes of address and the scope (4 bytes).
 */

export const AF_INET = 2;
export const AF_INET6 = 10;
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;
export const MAX_SOCKET_ADDRESS_BYTES = IPV6_BYTES;

/** No address: a socket that is connected to it is connected to nobody. */
export const NO_ADDRESS: Uint8Array = new Uint8Array(IPV4_BYTES);

/**
 * @param family of the socket: one for IPv6 takes an IPv4 address in its mapped form only
 * @throws Error when the text is not an address of that family
 */
export function writeSocketAddress(family: 4 | 6, text: string, port: number): Uint8Array {
  const sixth = family === 6;
  if (sixth ? !isIPv6(text) : !isIPv4(text)) throw new Error(`${text} is not an IPv${family} address`);
  const written = Buffer.alloc(sixth ? IPV6_BYTES : IPV4_BYTES);
  written.writeUInt16LE(sixth ? AF_INET6 : AF_INET, 0);
  written.writeUInt16BE(port, 2);
  written.set(addressBytes(text, sixth), sixth ? 8 : 4);
  const [, zone] = text.split('%');
  if (zone !== undefined) written.writeUInt32LE(scopeOf(zone), 24);
  return written;
}

/** @param bytes as the system filled it in; what stands behind the address does not matter */
export function readSocketAddress(bytes: Buffer): RemoteInfo {
  const port = bytes.readUInt16BE(2);
  if (bytes.readUInt16LE(0) === AF_INET) {
    return { address: bytes.subarray(4, 8).join('.'), family: 'IPv4', port, size: 0 };
  }
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(8 + 2 * i).toString(16));
  const { address } = new SocketAddress({ address: words.join(':'), family: 'ipv6' });
  const scope = bytes.readUInt32LE(24);
  return { address: scope === 0 ? address : `${address}%${zoneOf(scope)}`, family: 'IPv6', port, size: 0 };
}

/** Whether two hold the same address. */
export function isSameSocketAddress(a: Buffer, b: Buffer): boolean {
  const bytes = a.readUInt16LE(0) === AF_INET ? 8 : IPV6_BYTES;
  return a.compare(b, 0, bytes, 0, bytes) === 0;
}

/** A process that gets no more files cannot ask for them. */
function interfaces(): ReturnType<typeof networkInterfaces> {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

/** The number of the interface with this name; a number stands for itself. 0 when there is none. */
function scopeOf(zone: string): number {
  const entry = interfaces()[zone]?.find(({ family }) => family === 'IPv6');
  return entry?.scopeid ?? (Number(zone) || 0);
}

function zoneOf(scope: number): string {
  const [zone] =
    Object.entries(interfaces()).find(([, all]) => all?.some(({ scopeid }) => scopeid === scope)) ?? [];
  return zone ?? String(scope);
}
