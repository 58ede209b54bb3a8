/**
 * Where a received stream should be by our clock, a pure core. Two crystals differ by up to a few hundred ppm and
 * networks delay by whim, so the clock follows the stream: slowly when the stream runs ahead (at most 0.1 %, so that a
 * burst after a stall shows as what it is), quickly when it falls behind (a longer way, which is the new normal).
 * Units: samples; monotonic ms.
 */
const FOLLOW_AHEAD = 0.001;
const FOLLOW_BEHIND = 0.125;
/** A stream further ahead than this is taken as the new time: nobody waits for so much to be worked off. */
const MAX_AHEAD_MS = 5000;
/** What the clock puts into a stream comes in steps of this, and two at a time at most: after a stall of ours, what was kept
 * for us meanwhile comes first. */
export const CLOCK_STEP_MS = 20;
const MAX_FILL_MS = 40;

export class StreamClock {
  readonly #samplesPerMs: number;
  #position = 0;
  #at = 0;

  constructor(samplesPerMs: number) {
    this.#samplesPerMs = samplesPerMs;
  }

  /** The stream is at `position` now, by definition. */
  start(now: number, position: number): void {
    this.#position = position;
    this.#at = now;
  }

  /** Samples by which the stream, being at `position`, is before (positive) or behind (negative) the clock. */
  ahead(now: number, position: number): number {
    return position - this.#position - (now - this.#at) * this.#samplesPerMs;
  }

  /** Samples, in whole steps, to put in now for a stream at `position`; 0 while it is behind by `mayBeBehind` or less. */
  missing(now: number, position: number, mayBeBehind: number): number {
    const missing = -this.ahead(now, position) - mayBeBehind;
    const step = CLOCK_STEP_MS * this.#samplesPerMs;
    if (missing < step) return 0;
    return Math.min(MAX_FILL_MS * this.#samplesPerMs, missing - (missing % step));
  }

  /** The stream has reached `position` with a packet of `samples`. */
  follow(now: number, position: number, samples: number): void {
    const ahead = this.ahead(now, position);
    const maxAhead = MAX_AHEAD_MS * this.#samplesPerMs;
    if (ahead > maxAhead) this.#position += ahead - maxAhead;
    else if (ahead > 0) this.#position += Math.min(ahead, samples * FOLLOW_AHEAD);
    else this.#position += Math.max(ahead, -samples * FOLLOW_BEHIND);
  }
}
