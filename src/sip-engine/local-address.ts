import { isIP, isIPv6 } from 'node:net';
import { firstReachable } from '../local-addresses.ts';
import type { Endpoint } from './transport.ts';

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const loopback = /^(127\.|::1$)/;

/**
 * How a peer reaches a socket bound to `bound`: at the advertised address, at the bound one, or for a wildcard at the
 * first address of this machine in the peer's family (loopback for a loopback peer). The port is always the bound one.
 */
export function reachableAt(bound: Endpoint, advertised: string | undefined): (remote: string) => Endpoint {
  if (advertised !== undefined) return () => ({ address: advertised, port: bound.port });
  if (!wildcards.has(bound.address)) return () => bound;
  const sixth = isIPv6(bound.address);
  const near = { address: sixth ? '::1' : '127.0.0.1', port: bound.port };
  const far = { address: firstReachable(sixth ? 6 : 4) ?? bound.address, port: bound.port };
  return (remote) => (loopback.test(remote) ? near : far);
}

/**
 * The address that a connection of ours to `remote` has to leave from, as UDP does: the bound one, which peers know us by.
 * Undefined where the system chooses: for a wildcard, for the other family, and for a bound one that does not lead there.
 */
export function sourceTowards(bound: string, remote: string): string | undefined {
  if (wildcards.has(bound) || isIP(bound) === 0 || isIP(bound) !== isIP(remote)) return undefined;
  return loopback.test(bound) && !loopback.test(remote) ? undefined : bound;
}
