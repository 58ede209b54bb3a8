import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';

/** Sources that are met with silence (decisions §3, Bans). The application decides who and for how long. */
export class Bans {
  /** Address → monotonic ms at which its ban ends; oldest ban first. */
  readonly #until = new Map<string, number>();
  readonly #clock: EngineClock;
  readonly #stats: EngineStats;
  readonly #maxEntries: number;

  constructor(clock: EngineClock, stats: EngineStats, maxEntries: number) {
    this.#clock = clock;
    this.#stats = stats;
    this.#maxEntries = maxEntries;
  }

  /** Bans an address for `forMs`; when the table is full the oldest ban is lifted for it. */
  add(address: string, forMs: number): void {
    this.#until.delete(address);
    if (this.#until.size >= this.#maxEntries) {
      const oldest = this.#until.keys().next().value;
      if (oldest !== undefined) this.#until.delete(oldest);
    }
    this.#until.set(address, this.#clock.monotonic() + forMs);
    this.#stats.bans = this.#until.size;
  }

  remove(address: string): void {
    this.#until.delete(address);
    this.#stats.bans = this.#until.size;
  }

  has(address: string): boolean {
    const until = this.#until.get(address);
    if (until === undefined) return false;
    if (this.#clock.monotonic() < until) return true;
    this.remove(address);
    return false;
  }
}
