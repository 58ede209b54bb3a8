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
