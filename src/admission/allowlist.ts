import { BlockList, isIP } from 'node:net';
import { normalizeAddress } from './address.ts';

/** Lists of addresses and networks: an organization's allowlist, and the trusted proxies. Source: decisions §3. */

/**
 * How a source stands on a list: an entry no wider than /16 (IPv4) or /32 (IPv6) identifies it; a wider one only lets
 * its address pass row 7, and protects from no ban.
 */
export type Standing = 'identifies' | 'allowed_only' | null;

type Family = 'ipv4' | 'ipv6';

const WIDEST_IDENTIFYING: Readonly<Record<Family, number>> = { ipv4: 16, ipv6: 32 };

interface Network {
  family: Family;
  address: string;
  prefix: number;
}

export class Allowlist {
  readonly isEmpty: boolean;
  // A list for each family: one BlockList would let the IPv6 entry ::/0 match IPv4 addresses.
  readonly #identifying = { ipv4: new BlockList(), ipv6: new BlockList() };
  readonly #wide = { ipv4: new BlockList(), ipv6: new BlockList() };

  /**
   * @param entries `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`; IPv4-mapped IPv6 counts as IPv4
   * @throws RangeError that names the entry which is none of these
   */
  constructor(entries: readonly string[]) {
    this.isEmpty = entries.length === 0;
    for (const network of entries.map(readEntry)) {
      const { family, address, prefix } = network;
      (identifies(network) ? this.#identifying : this.#wide)[family].addSubnet(address, prefix, family);
    }
  }

  standing(source: string): Standing {
    // Most organizations have no list, and every INVITE asks them all.
    const address = this.isEmpty ? null : normalizeAddress(source);
    if (address === null) return null;
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (this.#identifying[family].check(address, family)) return 'identifies';
    return this.#wide[family].check(address, family) ? 'allowed_only' : null;
  }

  includes(source: string): boolean {
    return this.standing(source) !== null;
  }
}

const identifies = ({ family, prefix }: Network): boolean => prefix >= WIDEST_IDENTIFYING[family];

/**
 * The networks whose sources are known: what identifies on an organization's allowlist, and the trusted proxies.
 * @returns each once, as `address/prefix`
 * @throws RangeError that names the entry which is no network
 */
export function knownNetworks(
  allowlists: readonly (readonly string[])[],
  trustedProxies: readonly string[],
): string[] {
  const networks = [...allowlists.flat().map(readEntry).filter(identifies), ...trustedProxies.map(readEntry)];
  return [...new Set(networks.map(({ address, prefix }) => `${address}/${prefix}`))];
}

function readEntry(entry: string): Network {
  const [text = '', length, ...rest] = entry.trim().split('/');
  const address = normalizeAddress(text);
  const bits = isIP(text) === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (address === null || text.includes('%') || rest.length > 0)
    throw wrong(entry, 'an address or a network');
  if (!/^\d{1,3}$/.test(length ?? '0') || prefix > bits) throw wrong(entry, `a prefix from 0 to ${bits}`);
  if (isIP(address) === 6) return { family: 'ipv6', address, prefix };
  // ::ffff:192.0.2.0/120 is 192.0.2.0/24; with less than the 96 bits of the mapping it would be no IPv4 network.
  const mapped = bits === 128;
  if (mapped && prefix < 96) throw wrong(entry, 'a prefix from 96 to 128 for IPv4-mapped addresses');
  return { family: 'ipv4', address, prefix: mapped ? prefix - 96 : prefix };
}

function wrong(entry: string, allowed: string): RangeError {
  return new RangeError(`allowlist entry "${entry.slice(0, 80)}" cannot be used; allowed: ${allowed}`);
}
