/**
 * A level that goes to another one in a straight line, so that nothing clicks; a pure core. Levels are factors, from 0
 * (not heard) to 1 (as it is).
 */
const RAMP_MS = 50;

/** @param db at most 0 */
export const gainOf = (db: number): number => 10 ** (Math.min(0, db) / 20);

export class GainRamp {
  readonly #samples: number;
  readonly #first: number;
  #level: number;
  #target: number;
  #step = 0;
  /** Samples until the level is what it is to be. */
  #left = 0;

  constructor(rateHz: number, level: number) {
    this.#samples = (RAMP_MS * rateHz) / 1000;
    this.#first = level;
    this.#level = level;
    this.#target = level;
  }

  /** Whether it is at this level, and stays there. */
  isAt(level: number): boolean {
    return this.#left === 0 && this.#level === level;
  }

  /** Goes to another level within 50 ms, from wherever it is. */
  to(level: number): void {
    if (level === this.#target) return;
    this.#target = level;
    this.#step = (level - this.#level) / this.#samples;
    this.#left = this.#samples;
  }

  /** Is at its first level again, at once. */
  reset(): void {
    this.#level = this.#first;
    this.#target = this.#first;
    this.#left = 0;
  }

  /** Adds the first `length` samples to `mix`, at the levels that come next. */
  addTo(mix: Float64Array, samples: Int16Array, length: number): void {
    if (this.isAt(0)) return;
    let level = this.#level;
    let left = this.#left;
    for (let i = 0; i < length; i++) {
      if (left > 0) level = --left === 0 ? this.#target : level + this.#step;
      mix[i] = (mix[i] as number) + level * (samples[i] as number);
    }
    this.#level = level;
    this.#left = left;
  }
}
