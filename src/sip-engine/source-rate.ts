import { networkOf } from '../source-network.ts';
import type { EngineClock } from './timers.ts';

const WINDOW_MS = 1_000;

/** How often a source may do something within a second. What is remembered is forgotten with that second. */
export class SourceRate {
  readonly #perSecond: number;
  readonly #clock: EngineClock;
  readonly #counts = new Map<string, number>();
  #window = 0;

  constructor(perSecond: number, clock: EngineClock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Counts one more, if that is not too many. */
  admits(address: string): boolean {
    const window = Math.floor(this.#clock.monotonic() / WINDOW_MS);
    if (window !== this.#window) this.#counts.clear();
    this.#window = window;
    const source = networkOf(address);
    const count = this.#counts.get(source) ?? 0;
    if (count >= this.#perSecond) return false;
    this.#counts.set(source, count + 1);
    return true;
  }
}
