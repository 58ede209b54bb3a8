/**
 * Puts the speech of one party in order by its numbers, as a pure core. Telnyx does not promise the order of its chunks, and
 * anybody may send one twice. Where numbers have no gaps, one that is missing is waited for until a few others have come; where
 * they only rise, as those of Kallglot clients, nothing is waited for.
 */

/** Chunks that wait for an earlier one at most: 100 ms of a carrier's. */
const HELD_MOST = 5;
/** A number that is further away than this begins a new count. */
const SAME_COUNT_WITHIN = 50;

export class ChunkOrder {
  readonly #gapless: boolean;
  readonly #held = new Map<number, Buffer>();
  #next: number | undefined;

  constructor(numbers: 'gapless' | 'rising') {
    this.#gapless = numbers === 'gapless';
  }

  /**
   * @param audio valid for this call only @param say takes what is due, in order, and copies it
   * @returns false when it came before or comes too late: it is dropped
   */
  take(number: number | undefined, audio: Buffer, say: (audio: Buffer) => void): boolean {
    if (number === undefined) {
      say(audio);
      return true;
    }
    const ahead = number - (this.#next ?? number);
    if (Math.abs(ahead) > SAME_COUNT_WITHIN) this.#release(say, Number.POSITIVE_INFINITY);
    else if (ahead < 0 || this.#held.has(number)) return false;
    else if (ahead > 0 && this.#gapless) {
      this.#held.set(number, Buffer.from(audio));
      if (this.#held.size > HELD_MOST) this.#release(say, Math.min(...this.#held.keys()));
      return true;
    }
    say(audio);
    this.#next = number + 1;
    this.#release(say, this.#next);
    return true;
  }

  /** Says what is held, beginning with a number, as far as there is no gap; all of it when there is none to begin with. */
  #release(say: (audio: Buffer) => void, from: number): void {
    if (from === Number.POSITIVE_INFINITY) {
      for (const number of [...this.#held.keys()].sort((a, b) => a - b))
        say(this.#held.get(number) as Buffer);
      this.#held.clear();
      return;
    }
    this.#next = from;
    for (let audio = this.#held.get(this.#next); audio; audio = this.#held.get(this.#next)) {
      say(audio);
      this.#held.delete(this.#next++);
    }
  }
}
