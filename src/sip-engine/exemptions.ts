import { BlockList, isIP } from 'node:net';
import type { EngineClock } from './timers.ts';

/** Addresses from which a call succeeded. */
const MAX_ADDRESSES = 10_000;
/** Verdicts that are remembered, so that a flood does not search the networks again with every datagram. */
const MAX_REMEMBERED = 10_000;

/**
 * Sources to which no cap of one source applies, and who come first when there is more to do than time: those on the
 * allowlists of the trunks, and those from which a call succeeded lately. The application tells who they are.
 */
export class Exemptions {
  readonly #clock: EngineClock;
  #networks = { ipv4: new BlockList(), ipv6: new BlockList() };
  readonly #remembered = new Map<string, boolean>();
  /** Address → monotic ms at which its exemption ends; oldest first. */
  readonly #until = new Map<string, number>();

  constructor(clock: EngineClock) {
    this.#clock = clock;
  }

  /**
   * These networks instead of those before.
   * @param networks `192.0.2.0/24`, `2001:db8::/32`; what is none is left out
   */
  setNetworks(networks: readonly string[]): void {
    const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
    for (const network of networks) {
      const [address = '', prefix = ''] = network.split('/');
      const version = isIP(address);
      const bits = Number(prefix);
      if (version === 0 || !/^\d{1,3}$/.test(prefix) || bits > (version === 4 ? 32 : 128)) continue;
      const family = version === 4 ? 'ipv4' : 'ipv6';
      lists[family].addSubnet(address, bits, family);
    }
    this.#networks = lists;
    this.#remembered.clear();
  }

  /** Exempts an address for `forMs`; when the table is full the oldest gives way. */
  add(address: string, forMs: number): void {
    this.#until.delete(address);
    if (this.#until.size >= MAX_ADDRESSES) {
      const oldest = this.#until.keys().next().value;
      if (oldest !== undefined) this.#until.delete(oldest);
    }
    this.#until.set(address, this.#clock.monotonic() + forMs);
  }

  has(address: string): boolean {
    const until = this.#until.get(address);
    if (until !== undefined) {
      if (this.#clock.monotonic() < until) return true;
      this.#until.delete(address);
    }
    return this.#isInNetworks(address);
  }

  #isInNetworks(address: string): boolean {
    const before = this.#remembered.get(address);
    if (before !== undefined) return before;
    const version = isIP(address);
    const family = version === 4 ? 'ipv4' : 'ipv6';
    const found = version !== 0 && this.#networks[family].check(address, family);
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(address, found);
    return found;
  }
}
