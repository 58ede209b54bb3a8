import { toSample } from './format.ts';

/**
 * The noise that a comfort noise packet describes: its level, and its spectrum by reflection coefficients. Pure.
 * Source: RFC 3389 §3, §4.
 */
const FULL_SCALE = 32_768;
/** Of the coefficients so many are used; a decoder may leave out the higher ones. */
const MAX_ORDER = 12;
const SILENT_LEVEL = 127;
/** What uniform noise between -1 and 1 has to be multiplied with for an effective value of 1. */
const UNIFORM_TO_RMS = Math.sqrt(3);

export class ComfortNoise {
  readonly #reflection = new Float64Array(MAX_ORDER);
  readonly #memory = new Float64Array(MAX_ORDER + 1);
  #order = 0;
  /** Effective value of the noise that goes into the filter. */
  #drive = 0;
  #random = 1;

  /** Takes the payload of a comfort noise packet. */
  update(bytes: Uint8Array, offset: number, length: number): void {
    const level = length === 0 ? SILENT_LEVEL : (bytes[offset] as number) & 0x7f;
    this.#order = Math.min(MAX_ORDER, Math.max(0, length - 1));
    // 0 dBov is a square wave at full scale.
    let power = (FULL_SCALE * 10 ** (-level / 20)) ** 2;
    for (let i = 0; i < this.#order; i++) {
      const index = bytes[offset + 1 + i] as number;
      const reflection = index === 255 ? 0 : (258 * (index - 127)) / 32_768;
      this.#reflection[i] = reflection;
      power *= 1 - reflection * reflection;
    }
    this.#drive = Math.sqrt(power);
  }

  /** Writes the next `length` samples to the beginning of `into`. */
  fill(into: Int16Array, length: number): void {
    for (let i = 0; i < length; i++) {
      const sample = this.#filter(this.#drive * UNIFORM_TO_RMS * this.#next());
      into[i] = toSample(sample);
    }
  }

  /** An all-pole lattice: order 0 leaves the noise white. */
  #filter(input: number): number {
    const memory = this.#memory;
    let forward = input;
    for (let i = this.#order; i > 0; i--) {
      const reflection = this.#reflection[i - 1] as number;
      const backward = memory[i - 1] as number;
      forward -= reflection * backward;
      memory[i] = backward + reflection * forward;
    }
    memory[0] = forward;
    return forward;
  }

  /** -1 to 1, by a linear congruence: noise needs no better. */
  #next(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) | 0;
    return this.#random / 2 ** 31;
  }
}
