import { isQuiet } from '../audio/g711.ts';

/** The pauses of a translation that are shorter do not count. */
const HOLD_MS = 400;

/**
 * Whether a translation is being played, for who hears something else beneath it: by its sound, because a pipeline may
 * send silence as well. A pure core.
 */
export class Ducking {
  readonly #hold: number;
  #left = 0;

  constructor(rateHz: number) {
    this.#hold = (HOLD_MS * rateHz) / 1000;
  }

  /** @param played how many of the next `length` samples come from the translation */
  observe(samples: Int16Array, played: number, length: number): void {
    this.#left = isQuiet(samples, played) ? Math.max(0, this.#left - length) : this.#hold;
  }

  get isDucked(): boolean {
    return this.#left > 0;
  }
}
