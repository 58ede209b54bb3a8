import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';

/**
 * Loss and jitter of a received stream (RFC 3550 A.3, A.8), over all the SSRCs that a leg has seen. Pure core; results
 * go straight to the leg's counters.
 */
export class ReceptionStatistics {
  readonly #stats: StatsBlock;
  /** Lost in streams that have ended: earlier SSRCs, and before a restart of the sequence. */
  #lostBefore = 0;
  #base = -1;
  #highest = 0;
  #received = 0;
  /** Arrival and timestamp of the last speech packet. */
  #at = Number.NaN;
  #timestamp = 0;
  #jitterMs = 0;
  /** Expected and received packets of this stream at the last report. */
  #reported = { expected: 0, received: 0 };

  constructor(stats: StatsBlock) {
    this.#stats = stats;
  }

  /** A new SSRC, or the sequence starts again elsewhere. */
  restart(): void {
    this.#lostBefore += this.#lost();
    this.#base = -1;
    this.#received = 0;
    this.#at = Number.NaN;
    this.#reported = { expected: 0, received: 0 };
  }

  /**
   * The reception report of the present stream (RFC 3550 §6.4.1, A.3): loss is counted since the report before.
   * @returns undefined while nothing has come of it
   */
  report(
    unitsPerMs: number,
  ): { fractionLost: number; totalLost: number; highestSequence: number; jitter: number } | undefined {
    if (this.#base < 0) return undefined;
    const expected = this.#highest - this.#base + 1;
    const now = expected - this.#reported.expected;
    const lost = now - (this.#received - this.#reported.received);
    this.#reported = { expected, received: this.#received };
    return {
      fractionLost: now <= 0 || lost <= 0 ? 0 : Math.min(255, Math.floor((lost * 256) / now)),
      totalLost: Math.min(0x7fffff, this.#lost()),
      highestSequence: this.#highest >>> 0,
      jitter: Math.round(this.#jitterMs * unitsPerMs),
    };
  }

  /** @param sequence of any accepted RTP packet, late ones and duplicates included (A.3 counts them as received) */
  count(sequence: number): void {
    if (this.#base < 0) {
      this.#base = sequence;
      this.#highest = sequence;
    }
    this.#received++;
    const ahead = ((sequence - this.#highest) << 16) >> 16;
    if (ahead > 0) this.#highest += ahead;
    this.#stats.set(counter.packetsLost, this.#lostBefore + this.#lost());
  }

  /**
   * @param now monotonic ms of arrival
   * @param timestamp of a speech packet, in units of which `unitsPerMs` make a ms; restart when they change
   * @returns ms by which it took longer than the one before, NaN for the first
   */
  arrived(now: number, timestamp: number, unitsPerMs: number): number {
    // The timestamp wraps; the clock does not.
    const later = now - this.#at - ((timestamp - this.#timestamp) | 0) / unitsPerMs;
    this.#at = now;
    this.#timestamp = timestamp;
    if (Number.isNaN(later)) return later;
    this.#jitterMs += (Math.abs(later) - this.#jitterMs) / 16;
    this.#stats.set(counter.jitterMs, this.#jitterMs);
    return later;
  }

  #lost(): number {
    return this.#base < 0 ? 0 : Math.max(0, this.#highest - this.#base + 1 - this.#received);
  }
}
