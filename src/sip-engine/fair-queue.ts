/** Something that waits for its turn. */
interface Waiting<Item> {
  readonly item: Item;
  /** Monotonic ms. */
  readonly since: number;
  /** Nothing else of its source waited when it came: its wait is no fault of its own. */
  readonly alone: boolean;
}

/** First come, first served within a source; the sources take turns. */
export class FairQueue<Item> {
  /** Whose turn is next first. */
  readonly #bySource = new Map<string, Waiting<Item>[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many of a source wait. */
  of(source: string): number {
    return this.#bySource.get(source)?.length ?? 0;
  }

  add(source: string, item: Item, since: number): void {
    const queue = this.#bySource.get(source);
    if (queue === undefined) this.#bySource.set(source, [{ item, since, alone: true }]);
    else queue.push({ item, since, alone: false });
    this.#size += 1;
  }

  take(): Waiting<Item> | undefined {
    for (const [source, queue] of this.#bySource) {
      const next = queue.shift();
      this.#bySource.delete(source);
      if (queue.length > 0) this.#bySource.set(source, queue);
      this.#size -= 1;
      return next;
    }
    return undefined;
  }
}
