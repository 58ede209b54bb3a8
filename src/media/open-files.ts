import { closeSync } from 'node:fs';

/**
 * Which files a worker has open that Node does not know of, in a SharedArrayBuffer: they belong to the process, and would
 * stay open, ports and all, when the thread ends without closing them. Layout: a bit per file descriptor.
 */

/** Linux gives no process more than that unless it is told to (`fs.nr_open`). Pages that nobody touches cost nothing. */
const MOST_FILES = 1_048_576;

export class OpenFiles {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** Attaches to the buffer of another, on this thread or on another. */
  constructor(buffer = new SharedArrayBuffer(MOST_FILES / 8)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  add(file: number): void {
    Atomics.or(this.#words, file >> 5, 1 << (file & 31));
  }

  /** Before it is closed: afterwards the number may be another's. */
  remove(file: number): void {
    Atomics.and(this.#words, file >> 5, ~(1 << (file & 31)));
  }

  /** Closes what is still open; the thread that opened it is over. */
  closeAll(): void {
    this.#words.forEach((word, index) => {
      for (let bit = 0; word !== 0 && bit < 32; bit++) {
        if ((word & (1 << bit)) !== 0) closeSync(index * 32 + bit);
      }
    });
    this.#words.fill(0);
  }
}
