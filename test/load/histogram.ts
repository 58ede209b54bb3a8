const BIN_MS = 0.02;
const BINS = 500_000;

/** Counts times from 0 to 10 s in bins of 20 us; longer ones are counted as 10 s. */
export class Histogram {
  readonly #bins = new Uint32Array(BINS);
  #count = 0;
  #max = 0;

  add(ms: number): void {
    this.#bins[Math.min(BINS - 1, Math.floor(ms / BIN_MS))]!++;
    this.#count++;
    if (ms > this.#max) this.#max = ms;
  }

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  /** @param share 0.99 = the 99th percentile. @returns ms, rounded up to a bin; 0 when nothing was counted */
  percentile(share: number): number {
    let left = Math.ceil(this.#count * share);
    for (let bin = 0; bin < BINS; bin++) {
      left -= this.#bins[bin] as number;
      if (left <= 0) return this.#count === 0 ? 0 : Math.min(this.#max, (bin + 1) * BIN_MS);
    }
    return this.#max;
  }

  /** @returns the share of all times that are longer than `ms` */
  shareAbove(ms: number): number {
    let above = 0;
    for (let bin = Math.ceil(ms / BIN_MS); bin < BINS; bin++) above += this.#bins[bin] as number;
    return this.#count === 0 ? 0 : above / this.#count;
  }
}
