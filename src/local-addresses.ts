import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

let known: readonly NetworkInterfaceInfo[] = [];

/**
 * Those of this machine's interfaces, as they are now; as they were the last time where the system does not tell: a
 * process that gets no more files cannot ask, and its calls go on.
 */
export function localAddresses(): readonly NetworkInterfaceInfo[] {
  try {
    known = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  } catch {
    // What is known has to do.
  }
  return known;
}

/** The first address of this machine that others can reach; link-local ones need a scope and do not count. */
export function firstReachable(family: 4 | 6, local = localAddresses()): string | undefined {
  return local.find(
    (entry) => entry.family === `IPv${family}` && !entry.internal && !entry.address.startsWith('fe80:'),
  )?.address;
}
