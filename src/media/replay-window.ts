/**
 * Which of the last packets have come already, a pure core. Source: RFC 3711 §3.3.2, which asks for 64 at least.
 */
const WINDOW = 128;

export class ReplayWindow {
  /** Each index at its place modulo the window. */
  readonly #seen = new Float64Array(WINDOW).fill(-1);
  #highest = -1;

  /** The highest index so far, -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether a packet is neither known nor so old that nobody can tell any more. @param index up to 48 bits */
  isNew(index: number): boolean {
    return index > this.#highest - WINDOW && this.#seen[index & (WINDOW - 1)] !== index;
  }

  add(index: number): void {
    this.#seen[index & (WINDOW - 1)] = index;
    if (index > this.#highest) this.#highest = index;
  }
}
