/** What one client may send: far more than two parties say, and far less than what keeps others waiting. */
const MESSAGES = { atOnce: 1000, perSecond: 500 };
/** A message of the largest size still fits. */
const BYTES = { atOnce: 2 * 1024 * 1024, perSecond: 128 * 1024 };

interface Rate {
  readonly atOnce: number;
  readonly perSecond: number;
}

/** How many messages, and bytes of them, a client may still send; a pure core. */
export class MessageBudget {
  #messages = MESSAGES.atOnce;
  #bytes = BYTES.atOnce;
  #at: number;

  /** @param now monotonic ms, as in `take` */
  constructor(now: number) {
    this.#at = now;
  }

  /** @returns whether a message of so many bytes is still within it */
  take(bytes: number, now: number): boolean {
    const seconds = (now - this.#at) / 1000;
    this.#at = now;
    const refilled = (left: number, { atOnce, perSecond }: Rate) =>
      Math.min(atOnce, left + seconds * perSecond);
    this.#messages = refilled(this.#messages, MESSAGES) - 1;
    this.#bytes = refilled(this.#bytes, BYTES) - bytes;
    return this.#messages >= 0 && this.#bytes >= 0;
  }
}
