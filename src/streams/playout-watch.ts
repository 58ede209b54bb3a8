/**
 * How late a carrier plays what it is sent, as a pure core. A stall of the network comes out as a burst, which carriers queue: the
 * party would hear all that follows late. Marks come back when what was sent before them has been heard.
 */

/** A mark follows so much audio, ms. */
const MARK_EVERY_MS = 1000;
/** A way there and back, and what carriers hold for their own evenness, take less than this. */
const LATE_MS = 2000;
/** Marks that are waited for; a carrier need not send any back. */
const MARKS_MOST = 60;

export class PlayoutWatch {
  readonly #sentAt = new Map<string, number>();
  #unmarkedMs = 0;
  #marks = 0;

  /** @param now monotonic ms, as in `reached` @returns the name of the mark that is to follow, if one is due */
  sent(ms: number, now: number): string | undefined {
    this.#unmarkedMs += ms;
    if (this.#unmarkedMs < MARK_EVERY_MS) return undefined;
    this.#unmarkedMs = 0;
    const name = `${++this.#marks}`;
    this.#sentAt.set(name, now);
    if (this.#sentAt.size > MARKS_MOST) this.#forget(this.#sentAt.keys().next().value as string);
    return name;
  }

  /** A mark came back. @returns whether it came so late that what waits there is to be dropped */
  reached(name: string, now: number): boolean {
    const sentAt = this.#sentAt.get(name);
    if (sentAt === undefined) return false;
    this.#forget(name);
    if (now - sentAt < LATE_MS) return false;
    this.cleared();
    return true;
  }

  /** What waits there is dropped: its marks come back, and tell nothing. */
  cleared(): void {
    this.#sentAt.clear();
  }

  /** Of a mark, and of all before it. */
  #forget(name: string): void {
    for (const known of this.#sentAt.keys()) {
      this.#sentAt.delete(known);
      if (known === name) return;
    }
  }
}
