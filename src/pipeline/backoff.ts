import { OUTAGE_MS } from './speech.ts';

/**
 * When the next attempt to connect is made: 0.25 s after the loss, then after pauses that double up to 5 s, a little
 * shorter by chance, so that the links of a pipeline that restarts do not all come at once. One attempt is made just when
 * the speech that is kept begins to be lost, so that no outage of that length costs any. What is known to fail again is tried once a minute. Pure. Source: decisions §6.
 */
const FIRST_MS = 250;
const MOST_MS = 5000;
/** What would come to the same is not tried again and again. */
const PERMANENT_MS = 60_000;
/** So much of a pause is left to chance. */
const SPREAD = 0.2;

export class Backoff {
  readonly #random: () => number;
  #pause = FIRST_MS;

  /** @param random from 0 to below 1 */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * @param downForMs since the link was lost
   * @param permanent the next attempt would come to the same, as far as can be told
   * @returns ms until the next attempt
   */
  next(downForMs: number, permanent = false): number {
    const spread = 1 - SPREAD * this.#random();
    if (permanent) return PERMANENT_MS * spread;
    const pause = this.#pause * spread;
    this.#pause = Math.min(this.#pause * 2, MOST_MS);
    const left = OUTAGE_MS - downForMs;
    return left > 0 ? Math.min(pause, left) : pause;
  }

  /** A connection has proved good. */
  reset(): void {
    this.#pause = FIRST_MS;
  }
}
