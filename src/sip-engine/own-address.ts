import { localAddresses } from '../local-addresses.ts';
import { type Hop, hostport } from './transport.ts';

const WILDCARD = /^(\w+\/)(?:0\.0\.0\.0|\[::\]):(\d+)$/;

/**
 * Tells whether a hop is a socket of ours, given where we listen (`udp/0.0.0.0:5060`), as bound and as advertised. A
 * wildcard stands for every address of this machine.
 */
export function ownAddresses(...hostports: readonly string[]): (hop: Hop) => boolean {
  const exact = new Set(hostports);
  const wildcards = new Set(hostports.flatMap((text) => WILDCARD.exec(text)?.slice(1).join('') ?? []));
  return (hop) => {
    if (exact.has(hostport(hop.transport, hop))) return true;
    return wildcards.has(`${hop.transport}/${hop.port}`) && isLocal(hop.address);
  };
}

const isLocal = (address: string): boolean =>
  /^127\.|^::1$/.test(address) || localAddresses().some((one) => one.address === address);
