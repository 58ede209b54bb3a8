/**
 * Notices that a peer is gone: no RTP and no RTCP for a while, in a direction in which it should send (decisions §5).
 * Pure core, monotonic ms.
 */
export class MediaTimeout {
  readonly #limit: number;
  #since = 0;
  #armed = false;

  /** @param limit ms, 0 = never */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Starts the clock again, after (re)negotiation and when sending starts. */
  restart(now: number, expectsMedia: boolean): void {
    this.#since = now;
    this.#armed = expectsMedia && this.#limit > 0;
  }

  /** Something came from the peer. */
  alive(now: number): void {
    this.#since = now;
  }

  /** @returns true once, when the limit has passed */
  expired(now: number): boolean {
    if (!this.#armed || now - this.#since < this.#limit) return false;
    this.#armed = false;
    return true;
  }
}
