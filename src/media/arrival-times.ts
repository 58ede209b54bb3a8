/** When the parts of a stream came, for what has not been read yet; a pure core. Positions are samples, and only grow. */
const NOTES = 64;

export class ArrivalTimes {
  readonly #ends = new Float64Array(NOTES);
  readonly #times = new Float64Array(NOTES);
  #noted = 0;
  #passed = 0;

  /** All before `end`, and not before the last one, came at this time. */
  note(end: number, at: number): void {
    this.#ends[this.#noted % NOTES] = end;
    this.#times[this.#noted % NOTES] = at;
    this.#noted++;
    this.#passed = Math.max(this.#passed, this.#noted - NOTES);
  }

  /** When the last sample before `position` came; what is before it is forgotten. */
  before(position: number): number | undefined {
    while (this.#passed < this.#noted && (this.#ends[this.#passed % NOTES] as number) < position)
      this.#passed++;
    return this.#passed < this.#noted ? this.#times[this.#passed % NOTES] : undefined;
  }
}
