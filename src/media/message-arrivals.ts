/**
 * How the messages of a stream come, a pure core: how unevenly, how late the latest of late, and how much at once. Messages
 * have no timestamps: each should come when what it holds has been said, so long after the one before as it is long.
 */

/** One that comes so much later than that is no late one: its sender has paused. */
const PAUSE_MS = 1000;
const MIN_TARGET_MS = 20;
const MAX_TARGET_MS = 300;
/** The quickest of the last two windows is in time. */
const WINDOW_MS = 3000;
/** A lateness is forgotten by so much of the time since. */
const FORGOTTEN = 0.005;
/** What comes at once in no more than this is no burst: packets are as long. */
const STEADY_MS = 60;
const MAX_BURST_MS = 1000;
/** A burst is forgotten by so much with every message. */
const BURST_KEPT = 0.98;

export class MessageArrivals {
  #at = Number.NaN;
  /** Lateness of the last message against an arbitrary zero, and of the quickest of this window and the one before. */
  #lateness = 0;
  #least = 0;
  #leastBefore = 0;
  #windowAt = 0;
  #jitterMs = 0;
  #targetMs = MIN_TARGET_MS;
  #burstMs = 0;

  /** As RFC 3550 §6.4.1 works it out. */
  get jitterMs(): number {
    return this.#jitterMs;
  }

  /** How late messages are expected to come, ms from 20 to 300. */
  get targetMs(): number {
    return this.#targetMs;
  }

  /** How much comes at once, ms; 0 where that is no more than a packet holds. */
  get burstMs(): number {
    return this.#burstMs > STEADY_MS ? this.#burstMs : 0;
  }

  /** @param at monotonic ms @param lengthMs of the message */
  observe(at: number, lengthMs: number): void {
    this.#burstMs = Math.min(MAX_BURST_MS, Math.max(lengthMs, this.#burstMs * BURST_KEPT));
    const elapsed = at - this.#at;
    const later = elapsed - lengthMs;
    this.#at = at;
    if (!(Math.abs(later) <= PAUSE_MS)) {
      this.#begin(at);
      return;
    }
    this.#jitterMs += (Math.abs(later) - this.#jitterMs) / 16;
    this.#lateness += later;
    this.#least = Math.min(this.#least, this.#lateness);
    const late = this.#lateness - Math.min(this.#least, this.#leastBefore);
    const expected = Math.max(late, this.#targetMs - elapsed * FORGOTTEN);
    this.#targetMs = Math.max(MIN_TARGET_MS, Math.min(MAX_TARGET_MS, expected));
    if (at - this.#windowAt >= WINDOW_MS) this.#turnWindow(at);
  }

  #begin(at: number): void {
    this.#lateness = 0;
    this.#least = 0;
    this.#leastBefore = 0;
    this.#windowAt = at;
  }

  #turnWindow(at: number): void {
    this.#leastBefore = this.#least;
    this.#least = this.#lateness;
    this.#windowAt = at;
  }
}
