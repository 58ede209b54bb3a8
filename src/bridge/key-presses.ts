import { type KeyPress, PressBudget } from '../dtmf.ts';

/**
 * The key presses of a leg, as a pure core. Phones that are set to "RFC 2833 and INFO" tell of each press twice, by RTP
 * and by SIP; it is one press all the same.
 */

/** The two ways tell of a press this far apart at most: RTP when the key is up, INFO when it goes down or up. */
const APART_MS = 1000;
/** Presses that may still come the other way, too: so many, for so long. */
const REMEMBERED = 16;
const REMEMBERED_MS = 10_000;

interface Told extends KeyPress {
  from: number;
  to: number;
}

export class KeyPresses {
  readonly #budget = new PressBudget();
  #unpaired: Told[] = [];
  #count = 0;

  /** Presses so far, each once. */
  get count(): number {
    return this.#count;
  }

  /** @param now monotonic ms @returns `known`: it came the other way already; `dropped`: there are too many */
  take(press: KeyPress, now: number): 'new' | 'known' | 'dropped' {
    const told = { ...press, from: press.method === 'rtp' ? now - press.durationMs : now, to: now };
    this.#unpaired = this.#unpaired.filter(({ to }) => now - to < REMEMBERED_MS);
    const same = this.#unpaired.findIndex((one) => isSame(one, told));
    if (same >= 0) {
      this.#unpaired.splice(same, 1);
      return 'known';
    }
    if (!this.#budget.take(now)) return 'dropped';
    this.#count++;
    this.#unpaired.push(told);
    if (this.#unpaired.length > REMEMBERED) this.#unpaired.shift();
    return 'new';
  }
}

const isSame = (one: Told, other: Told): boolean =>
  one.digit === other.digit &&
  one.method !== other.method &&
  Math.max(one.from - other.to, other.from - one.to) <= APART_MS;
