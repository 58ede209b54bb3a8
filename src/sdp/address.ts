import { BlockList, isIP } from 'node:net';
import { invalid, shown } from './parse.ts';

/** Media addresses of a peer: numeric, unicast, of one family. Source: RFC 8866 §5.7; decisions §5. */

export type Family = 4 | 6;

export interface MediaAddress {
  address: string;
  family: Family;
  /** 0.0.0.0 or ::, the old way to say hold: there is nowhere to send to. */
  unspecified: boolean;
}

/** Nobody receives RTP there: multicast, broadcast and reserved, "this network". */
const notUnicast = new BlockList();
notUnicast.addSubnet('224.0.0.0', 4, 'ipv4');
notUnicast.addSubnet('240.0.0.0', 4, 'ipv4');
notUnicast.addSubnet('0.0.0.0', 8, 'ipv4');
notUnicast.addSubnet('ff00::', 8, 'ipv6');

/**
 * Checks an address of c= or a=rtcp.
 * @param version the digit after `IP`: "4" or "6"
 * @throws Refusal `sdp_invalid` for host names, multicast, broadcast, and an address that is not of its family
 */
export function readAddress(version: string, address: string, where: string): MediaAddress {
  const [bare = ''] = address.split('/');
  const family = isIP(bare);
  if (family === 0 || bare.includes('%')) {
    throw invalid(`${where} has ${shown(address)}; the address must be numeric, without host names or zones`);
  }
  if (String(family) !== version) {
    throw invalid(`${where} says IP${shown(version)} but has the IPv${family} address ${bare}`);
  }
  const unspecified = isUnspecified(bare);
  if (!unspecified && notUnicast.check(bare, family === 4 ? 'ipv4' : 'ipv6')) {
    throw invalid(`${where} has ${bare}; multicast, broadcast and reserved addresses are not taken`);
  }
  if (bare !== address) throw invalid(`${where} has ${shown(address)}; a unicast address has no "/"`);
  return { address: bare, family: family as Family, unspecified };
}

/** 0.0.0.0 and ::, however written. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address);
}

/** The family of one of our own addresses. */
export function familyOf(address: string): Family {
  return isIP(address) === 6 ? 6 : 4;
}
