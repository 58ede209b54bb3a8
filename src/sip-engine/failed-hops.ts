import type { EngineClock } from './timers.ts';
import type { Hop } from './transport.ts';

/** How long a server that did not answer is tried after all others. */
const FAILED_MS = 30_000;
const MAX_HOPS = 1_000;

/** Where requests failed lately (RFC 3263 §4.3): it is still tried, but last. */
export class FailedHops {
  readonly #clock: EngineClock;
  /** Until when, by hop; the one that failed longest ago first. */
  readonly #until = new Map<string, number>();

  constructor(clock: EngineClock) {
    this.#clock = clock;
  }

  add(hop: Hop): void {
    const key = keyOf(hop);
    this.#until.delete(key);
    const [oldest] = this.#until.keys();
    if (oldest !== undefined && this.#until.size >= MAX_HOPS) this.#until.delete(oldest);
    this.#until.set(key, this.#clock.monotonic() + FAILED_MS);
  }

  /** The same hops, those that failed lately at the end. */
  last(hops: readonly Hop[]): readonly Hop[] {
    if (this.#until.size === 0 || hops.length < 2) return hops;
    return hops.toSorted((a, b) => Number(this.#has(a)) - Number(this.#has(b)));
  }

  #has(hop: Hop): boolean {
    const key = keyOf(hop);
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (this.#clock.monotonic() < until) return true;
    this.#until.delete(key);
    return false;
  }
}

const keyOf = ({ transport, address, port }: Hop): string => `${transport} ${address} ${port}`;
