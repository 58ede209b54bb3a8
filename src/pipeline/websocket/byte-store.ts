const FIRST_BYTES = 4096;
const none = Buffer.alloc(0);

/** Bytes that come in pieces, in one piece: it doubles as it grows, so that no sender can make it copy more than twice what it sends. */
export class ByteStore {
  #bytes = none;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All that is in it; valid until it is changed. */
  get view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** Takes the oldest `count` bytes out; nothing is held when nothing is left. */
  drop(count: number): void {
    if (count === 0) return;
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
    if (this.#length === 0) this.#bytes = none;
  }
}
