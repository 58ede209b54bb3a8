import { isIPv4, isIPv6 } from 'node:net';

/** A numeric address as the network has it: 4 bytes, or 16 of IPv6; all zero for what is no address of the family. */
export function addressBytes(address: string, sixth: boolean): Uint8Array {
  if (!sixth) return Uint8Array.from(isIPv4(address) ? address.split('.').map(Number) : [0, 0, 0, 0]);
  if (!isIPv6(address)) return new Uint8Array(16);
  // A URL spells it in groups of hexadecimal digits, whatever it was written like; a zone is not part of it.
  const spelled = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1);
  const [front = [], back = []] = spelled.split('::').map(groupsOf);
  const zeros = new Array<number>(8 - front.length - back.length).fill(0);
  return Uint8Array.from([...front, ...zeros, ...back].flatMap((group) => [group >> 8, group & 0xff]));
}

const groupsOf = (text: string): number[] =>
  text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
