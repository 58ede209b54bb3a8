/** What a party may say at once, as after a stall of the network or of ours, ms; and how much faster than time from then on. */
const AT_ONCE_MS = 10_000;
const SPEED = 2;

/**
 * How much speech a party may still say, a pure core: to decode it costs time that all legs of a worker share, and
 * nobody speaks faster than time. What is beyond is dropped, undecoded.
 */
export class SpeechBudget {
  #leftMs = AT_ONCE_MS;
  #at = 0;

  /** @param now monotonic ms @returns whether there is any left */
  has(now: number): boolean {
    this.#leftMs = Math.min(AT_ONCE_MS, this.#leftMs + (now - this.#at) * SPEED);
    this.#at = now;
    return this.#leftMs > 0;
  }

  /** @param lengthMs of a packet */
  spend(lengthMs: number): void {
    this.#leftMs -= lengthMs;
  }
}
