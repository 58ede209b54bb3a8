import { isIP } from 'node:net';

/** A network in its one spelling: host bits cleared, IPv6 compressed, IPv4-mapped IPv6 as IPv4. */
export interface Network {
  /** `192.0.2.0/24`, `2001:db8::/32`; a single address without its prefix. */
  cidr: string;
  family: 4 | 6;
  /** Bits. */
  prefix: number;
}

const bitsOf = { 4: 32, 6: 128 } as const;
const MAPPED = 0xffffn;

/** @returns undefined when the text is neither an address nor a network */
export function parseNetwork(text: string): Network | undefined {
  const [written = '', length, ...rest] = text.trim().split('/');
  const version = isIP(written);
  if (version === 0 || rest.length > 0 || written.includes('%')) return undefined;
  const bits = version === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const prefix = length === undefined ? bits : Number(length);
  if (prefix > bits) return undefined;
  if (version === 4) return network(valueOf4(written), prefix, 4);
  const value = valueOf6(written);
  if (value >> 32n !== MAPPED) return network(value, prefix, 6);
  return prefix < 96 ? undefined : network(value & 0xffffffffn, prefix - 96, 4);
}

function network(address: bigint, prefix: number, family: 4 | 6): Network {
  const bits = bitsOf[family];
  const hostBits = BigInt(bits - prefix);
  const text = textOf((address >> hostBits) << hostBits, family);
  return { cidr: prefix === bits ? text : `${text}/${prefix}`, family, prefix };
}

const valueOf4 = (text: string): bigint =>
  text.split('.').reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);

/** The URL parser knows every spelling of IPv6 and gives back one, without dotted decimals. */
function valueOf6(text: string): bigint {
  const [head = '', tail] = compressed(text).split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const [left, right] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

const compressed = (text: string): string => new URL(`http://[${text}]`).hostname.slice(1, -1);

function textOf(value: bigint, family: 4 | 6): string {
  const size = family === 4 ? 8n : 16n;
  const count = family === 4 ? 4 : 8;
  const parts = Array.from(
    { length: count },
    (_, i) => (value >> (size * BigInt(count - 1 - i))) & ((1n << size) - 1n),
  );
  return family === 4 ? parts.join('.') : compressed(parts.map((part) => part.toString(16)).join(':'));
}
