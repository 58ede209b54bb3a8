import { toSample } from './format.ts';

/**
 * Packet loss concealment for codecs without one of their own, in the manner of G.711 appendix I: the last pitch period
 * goes on through the gap. Where the packet after the gap is there already, as it is when a gap shows only by what
 * follows, speech is carried into the gap from both ends, each stretched a little so that it meets the other side in
 * phase, and faded into each other; what came through the network stays as it is, sample by sample.
 *
 * Pure: samples in, samples out, nothing is allocated after the beginning. Lengths at 8 kHz; they grow with the rate.
 */
const RATE = 8000;
/** Pitch is looked for between 62 and 250 Hz. */
const MIN_LAG = 32;
const MAX_LAG = 130;
/** 5 ms are compared. */
const WINDOW = 40;
/** With less (18 ms) of it known, speech is not carried on from a side: its period cannot be told. */
const MIN_KNOWN = 144;
/** Meeting the other side: the 10 ms beyond the gap, with up to 10 % of stretch in 24 steps. */
const MEETING = 80;
const MAX_STRETCH = 0.1;
const STRETCH_STEPS = 12;
/** Of two stretches that fit alike, the smaller. */
const STRETCH_COST = 0.3;
/** Two sides that are not quite alike weaken each other where they are faded, which this makes up for. */
const SUPPORT = 1.15;
/** Nothing is made up over more than 60 ms from either end. */
const FADE_MS = 60;
const MAX_GAP_MS = 240;

/** Speech that goes on beyond the end of `line`, by repeating its last period. */
class Continuation {
  readonly #line: Float64Array;
  readonly #cycle: Float64Array;
  readonly #scale: number;
  #lag = 0;
  /** How much it is expected to be like the speech that was lost: 0 to 1; at first, as the end is like the period before. */
  #gain = 0;
  #stretch = 0;
  /** From the last sample to what the cycle would have had in its place. */
  #step = 0;

  constructor(scale: number) {
    this.#scale = scale;
    this.#line = new Float64Array((MAX_LAG + WINDOW) * scale);
    this.#cycle = new Float64Array(MAX_LAG * scale);
  }

  /** What is known, the nearest to the gap last. */
  get line(): Float64Array {
    return this.#line;
  }

  /** @returns false when `line` ends with too few samples that are known to tell a period */
  prepare(known: number): boolean {
    const scale = this.#scale;
    this.#stretch = 0;
    if (known < MIN_KNOWN * scale) return false;
    this.#findPeriod(Math.min(MAX_LAG * scale, known - WINDOW * scale));
    const line = this.#line;
    const start = line.length - this.#lag;
    for (let i = 0; i < this.#lag; i++) this.#cycle[i] = line[start + i] as number;
    this.#step = (line[line.length - 1] as number) - (line[start - 1] as number);
    this.#closeCycle(start);
    return true;
  }

  /**
   * Chooses the stretch with which `length` samples on it is most like the beginning of what comes there. The less it is,
   * the less either side says of what was between them.
   */
  meet(other: Float64Array, length: number): void {
    const count = MEETING * this.#scale;
    let best = Number.NEGATIVE_INFINITY;
    let alike = 0;
    for (let k = -STRETCH_STEPS; k <= STRETCH_STEPS; k++) {
      const stretch = (MAX_STRETCH * k) / STRETCH_STEPS;
      const likeness = this.#fit(other, length, stretch, count);
      const fit = likeness - STRETCH_COST * Math.abs(stretch);
      if (fit <= best) continue;
      best = fit;
      alike = likeness;
      this.#stretch = stretch;
    }
    this.#gain = Math.min(1, SUPPORT * this.#gain * Math.sqrt(Math.max(0, alike)));
  }

  /** Adds `length` samples into `into`, dying away over `fade`; backwards from its end when `reversed`. */
  addTo(into: Float64Array, length: number, fade: number, reversed: boolean): void {
    const cycle = this.#cycle;
    const lag = this.#lag;
    const joint = Math.max(4, lag >> 2);
    let at = 0;
    for (let i = 0; i < length && i < fade; i++) {
      const whole = Math.floor(at);
      const part = at - whole;
      const next = cycle[whole + 1 < lag ? whole + 1 : 0] as number;
      let sample = (cycle[whole] as number) * (1 - part) + next * part;
      if (i < joint) sample += this.#step * (1 - (i + 1) / (joint + 1));
      const to = reversed ? length - 1 - i : i;
      into[to] = (into[to] as number) + sample * this.#gain * (1 - (i + 0.5) / fade);
      at += 1 + (this.#stretch * (2 * i + 1)) / length;
      while (at >= lag) at -= lag;
    }
  }

  #findPeriod(maxLag: number): void {
    const line = this.#line;
    const end = line.length;
    const window = WINDOW * this.#scale;
    this.#lag = 0;
    this.#gain = 0;
    let own = 0;
    for (let i = 1; i <= window; i++) own += (line[end - i] as number) ** 2;
    let best = Number.NEGATIVE_INFINITY;
    for (let lag = MIN_LAG * this.#scale; lag <= maxLag; lag++) {
      let product = 0;
      let energy = 0;
      for (let i = 1; i <= window; i++) {
        const before = line[end - i - lag] as number;
        product += (line[end - i] as number) * before;
        energy += before * before;
      }
      const likeness = product / Math.sqrt(own * energy + 1);
      if (likeness <= best) continue;
      best = likeness;
      this.#lag = lag;
    }
    this.#gain = Math.max(0, Math.min(1, best));
  }

  /** The end of the period runs over into what stood before its beginning, so that it repeats without a seam. */
  #closeCycle(start: number): void {
    const joint = Math.max(4, this.#lag >> 2);
    for (let k = 0; k < joint; k++) {
      const weight = (k + 1) / (joint + 1);
      const at = this.#lag - joint + k;
      const before = this.#line[start - joint + k] as number;
      this.#cycle[at] = (1 - weight) * (this.#cycle[at] as number) + weight * before;
    }
  }

  /** Every second sample will do. */
  #fit(other: Float64Array, length: number, stretch: number, count: number): number {
    const lag = this.#lag;
    const last = other.length - 1;
    let product = 0;
    let energy = 0;
    let otherEnergy = 0;
    for (let i = 0; i < count; i += 2) {
      const x = length + i;
      const at = x * (1 + (stretch * x) / length);
      const mine = this.#cycle[Math.floor(at - Math.floor(at / lag) * lag)] as number;
      const theirs = other[last - i] as number;
      product += mine * theirs;
      energy += mine * mine;
      otherEnergy += theirs * theirs;
    }
    return product / Math.sqrt(energy * otherEnergy + 1);
  }
}

const shared = new Map<number, Concealment>();

/** The one of a rate: all that it holds is working space, so that streams of a thread can share it. */
export function concealmentAt(rateHz: number): Concealment {
  const known = shared.get(rateHz);
  if (known) return known;
  const made = new Concealment(rateHz);
  shared.set(rateHz, made);
  return made;
}

export class Concealment {
  /** Samples before and after a gap that are looked at, at most. */
  readonly reach: number;
  /** The longest gap that is filled at once: 240 ms, of which what is far from both ends is silence. */
  readonly maxSamples: number;
  readonly #fade: number;
  readonly #meeting: number;
  readonly #forward: Continuation;
  readonly #backward: Continuation;
  readonly #mix: Float64Array;

  /** @param rateHz a multiple of 8000 */
  constructor(rateHz: number) {
    const scale = rateHz / RATE;
    this.reach = (MAX_LAG + WINDOW) * scale;
    this.#fade = (FADE_MS * rateHz) / 1000;
    this.maxSamples = MAX_GAP_MS * (rateHz / 1000);
    this.#meeting = MEETING * scale;
    this.#forward = new Continuation(scale);
    this.#backward = new Continuation(scale);
    this.#mix = new Float64Array(this.maxSamples);
  }

  /**
   * Fills a gap.
   * @param before what came before the gap, its last samples last; may be empty
   * @param after what comes after it, of which `afterLength` samples are known; 0 when nothing has come yet
   * @param length of the gap, at most `maxSamples`
   * @param elapsed samples that have been made up already when `before` ends with such
   */
  fill(
    before: Int16Array,
    after: Int16Array,
    afterLength: number,
    into: Int16Array,
    length: number,
    elapsed = 0,
  ): void {
    const mix = this.#mix;
    mix.fill(0, 0, length);
    const forward = this.#takeBefore(before);
    const backward = this.#takeAfter(after, afterLength);
    if (forward && afterLength >= this.#meeting) this.#forward.meet(this.#backward.line, length);
    if (backward && before.length >= this.#meeting) this.#backward.meet(this.#forward.line, length);
    const fade = Math.min(this.#fade, length);
    if (forward) this.#forward.addTo(mix, length, backward ? fade : this.#fade - elapsed, false);
    if (backward) this.#backward.addTo(mix, length, fade, true);
    for (let i = 0; i < length; i++) {
      into[i] = toSample(mix[i] as number);
    }
  }

  #takeBefore(before: Int16Array): boolean {
    const line = this.#forward.line;
    const known = Math.min(line.length, before.length);
    line.fill(0);
    for (let i = 1; i <= known; i++) line[line.length - i] = before[before.length - i] as number;
    return this.#forward.prepare(known);
  }

  #takeAfter(after: Int16Array, afterLength: number): boolean {
    const line = this.#backward.line;
    const known = Math.min(line.length, afterLength);
    line.fill(0);
    for (let i = 0; i < known; i++) line[line.length - 1 - i] = after[i] as number;
    return this.#backward.prepare(known);
  }
}
