/** Far more than come at once and have not shown their token yet; it takes a carrier some 100 ms. */
const MOST = 500;

/**
 * Connections that have shown no token yet. Beyond the bound the oldest goes, so that nobody keeps the others out by holding all
 * places: behind a proxy all come from one address.
 */
export class Strangers {
  /** What sends each away, oldest first. */
  readonly #here = new Set<() => void>();

  /** @param sendAway called at most once @returns what is called when it is a stranger no more, or gone; idempotent */
  enter(sendAway: () => void): () => void {
    const entry = () => sendAway();
    this.#here.add(entry);
    if (this.#here.size > MOST) {
      const oldest = this.#here.values().next().value as () => void;
      this.#here.delete(oldest);
      oldest();
    }
    return () => void this.#here.delete(entry);
  }
}
