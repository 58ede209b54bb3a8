/**
 * What the kernel has dropped of UDP, a pure core over the texts of `/proc/net/snmp` (IPv4) and `/proc/net/snmp6`.
 * The counters are those of the whole machine, or of the network namespace.
 */

export interface KernelUdpDrops {
  /** A receive buffer was full: a socket was not read in time. */
  receiveBuffer: number;
  /** A send buffer was full. */
  sendBuffer: number;
  /** Nobody listens there for this sender: also what strangers send to a socket that is connected to its peer. */
  noPort: number;
}

const names: Readonly<Record<keyof KernelUdpDrops, string>> = {
  receiveBuffer: 'RcvbufErrors',
  sendBuffer: 'SndbufErrors',
  noPort: 'NoPorts',
};

/** A line of names that begins with `Udp:`, and one of numbers below it. */
function ipv4Counters(snmp: string): Map<string, number> {
  const [header, values] = snmp.split('\n').filter((line) => line.startsWith('Udp:'));
  const numbers = values?.split(/\s+/) ?? [];
  return new Map(header?.split(/\s+/).map((name, i) => [name, Number(numbers[i])]));
}

/** A name and its number in each line: `Udp6NoPorts  48`. */
function ipv6Counters(snmp6: string): Map<string, number> {
  const lines = snmp6.matchAll(/^Udp6(\w+)\s+(\d+)$/gm);
  return new Map(Array.from(lines, ([, name, value]) => [name as string, Number(value)]));
}

/** @param snmp6 empty where there is no IPv6 @returns both families together; what a text does not tell counts as 0 */
export function readKernelUdp(snmp: string, snmp6: string): KernelUdpDrops {
  const families = [ipv4Counters(snmp), ipv6Counters(snmp6)];
  const sum = (name: string) => families.reduce((total, counters) => total + (counters.get(name) || 0), 0);
  return {
    receiveBuffer: sum(names.receiveBuffer),
    sendBuffer: sum(names.sendBuffer),
    noPort: sum(names.noPort),
  };
}

/** So many readings without a loss end a burst. */
const QUIET_READINGS = 12;

/** Tells when a burst of losses begins, once for each. */
export class LossBurst {
  #quiet = QUIET_READINGS;

  /** @param lost since the reading before */
  begins(lost: number): boolean {
    if (lost === 0) {
      this.#quiet++;
      return false;
    }
    const isNew = this.#quiet >= QUIET_READINGS;
    this.#quiet = 0;
    return isNew;
  }
}
