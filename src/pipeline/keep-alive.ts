/**
 * When to ping, and when the peer is taken for gone: a ping every second, one at a time; unanswered for 3 s = lost.
 * The age of a ping is counted in our own checks, not by the clock: after a pause of this process its answer, which
 * may wait in the socket, is read before the next check. Pure. Source: decisions §6.
 */
const INTERVAL_MS = 1000;
const LOST_AFTER_CHECKS = 3;

export class KeepAlive {
  #nextCheck: number;
  #sentAt: number | undefined;
  #checks = 0;

  /** @param now monotonic, ms, as in the other methods */
  constructor(now: number) {
    this.#nextCheck = now + INTERVAL_MS;
  }

  /** Called often. @returns what is to be done now */
  check(now: number): 'ping' | 'lost' | undefined {
    if (now < this.#nextCheck) return undefined;
    this.#nextCheck = now + INTERVAL_MS;
    if (this.#sentAt === undefined) {
      this.#sentAt = now;
      this.#checks = 0;
      return 'ping';
    }
    this.#checks++;
    return this.#checks >= LOST_AFTER_CHECKS ? 'lost' : undefined;
  }

  /** A pong came. @returns the round trip in ms, or undefined when nothing was asked */
  answered(now: number): number | undefined {
    if (this.#sentAt === undefined) return undefined;
    const roundTrip = now - this.#sentAt;
    this.#sentAt = undefined;
    return roundTrip;
  }
}
