import { BlockList, isIP } from 'node:net';

/**
 * Where webhooks may go: the public internet, so that nobody can reach through us what only we can reach (SSRF).
 * Sources: decisions §8; the IANA special-purpose address registries (RFC 6890), RFC 6598, RFC 6052, RFC 4291.
 */

const refused = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  refused.addSubnet(network, prefix, 'ipv4');

/** Within 2000::/3, the only global unicast there is: Teredo and its kin, documentation, 6to4. */
const refused6 = new BlockList();
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  refused6.addSubnet(network, prefix, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');

/** Ends of the IPv6 forms that carry an IPv4 address in their last 32 bits: mapped, and NAT64. */
const carriers = [
  [0, 0, 0, 0, 0, 0xffff],
  [0x64, 0xff9b, 0, 0, 0, 0],
];

/** Whether an address, as DNS gave it or as it is written in a URL (without brackets), is on the public internet. */
export function isPublicAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 4) return !refused.check(bare, 'ipv4');
  if (family !== 6) return false;
  const groups = ipv6Groups(bare);
  const carried = carriers.some((start) => start.every((group, index) => group === groups[index]));
  if (carried) return !refused.check(ipv4Of(groups[6] as number, groups[7] as number), 'ipv4');
  return global6.check(bare, 'ipv6') && !refused6.check(bare, 'ipv6');
}

/** The eight groups of a valid IPv6 address; the URL parser writes them in their one short form. */
function ipv6Groups(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [numbers(head), numbers(tail ?? '')];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

const ipv4Of = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.');

const URL_MOST = 2000;

/**
 * What is wrong with a receiver's address before anybody looks it up.
 * @param allowPrivate the operator's word: any address, any port, and plain HTTP to this machine
 * @returns plain words, or undefined when nothing is wrong
 */
export function targetProblem(text: string, allowPrivate: boolean): string | undefined {
  if (text.length > URL_MOST) return `must be at most ${URL_MOST} characters`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return 'must be an address such as https://example.com/webhooks';
  if (url.username || url.password) return 'must not hold a user name or password';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (url.protocol !== 'https:') {
    const local = url.protocol === 'http:' && allowPrivate && isLoopback(host);
    return local ? undefined : 'must begin with https://';
  }
  if (allowPrivate) return undefined;
  if (isLoopback(host) || (isIP(host) !== 0 && !isPublicAddress(host)))
    return 'must be an address on the public internet';
  const port = url.port === '' ? 443 : Number(url.port);
  return port === 443 || port >= 1024 ? undefined : 'must have port 443, or one from 1024 on';
}

const isLoopback = (host: string): boolean =>
  host === '::1' ||
  host === 'localhost' ||
  host.endsWith('.localhost') ||
  (isIP(host) === 4 && host.startsWith('127.'));
