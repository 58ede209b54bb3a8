import type { ReceiveChain } from './receive-chain.ts';

/** With more than this surplus silence is left out, until less than 40 ms are left. */
export const DRAIN_ABOVE_MS = 200;
const DRAIN_BELOW_MS = 40;
/** Pauses between words keep this many packets. */
const PAUSE_PACKETS = 3;

/**
 * Works off what a stream is ahead of time, a pure core: silence that nobody will miss is left out of it, and speech never.
 */
export class SpareSilence {
  readonly #perMs: number;
  #draining = false;
  #quietPackets = 0;

  /** @param perMs samples of a ms */
  constructor(perMs: number) {
    this.#perMs = perMs;
  }

  /** @param ahead samples by which the stream is ahead of time */
  observe(ahead: number): void {
    this.#draining = ahead > (this.#draining ? DRAIN_BELOW_MS : DRAIN_ABOVE_MS) * this.#perMs;
    if (!this.#draining) this.#quietPackets = 0;
  }

  /** Whether what the chain has taken is to be left out: quiet all through, after a pause that is long enough. */
  holds(chain: ReceiveChain): boolean {
    if (!this.#draining) return false;
    if (!chain.isQuiet()) {
      this.#quietPackets = 0;
      return false;
    }
    return ++this.#quietPackets > PAUSE_PACKETS;
  }
}
