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
    if (Math.abs(ahead) > SAME_COUNT_WITHIN) this.#releaseAll(say);
    else if (ahead < 0 || this.#held.has(number)) return false;
    else if (ahead > 0 && this.#gapless) {
      this.#held.set(number, Buffer.from(audio));
      if (this.#held.size > HELD_MOST) this.#release(say, Math.min(...this.#held.keys()));
      return true;
    }
    say(audio);
    this.#release(say, number + 1);
    return true;
  }

  /** Says what is held from a number on, as far as there is no gap. */
  #release(say: (audio: Buffer) => void, from: number): void {
    this.#next = from;
    for (let audio = this.#held.get(this.#next); audio; audio = this.#held.get(this.#next)) {
      say(audio);
      this.#held.delete(this.#next++);
    }
  }

  /** What comes next is of another count. */
  #releaseAll(say: (audio: Buffer) => void): void {
    for (const [, audio] of [...this.#held].sort(([a], [b]) => a - b)) say(audio);
    this.#held.clear();
  }
}
