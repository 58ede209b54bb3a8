/**
 * A byte ring for one writer and one reader on different threads, in a SharedArrayBuffer. It carries audio between
 * the main thread and a media worker without messages (architecture, "Threads"). Positions are free-running 32-bit
 * counters, so `written - read` is the fill, whatever wraps.
 *
 * Layout: three Int32 (written, read, flush mark) and then `capacity` bytes; capacity is a power of two.
 */
const WRITTEN = 0;
const READ = 1;
const FLUSH = 2;
const HEADER_BYTES = 12;

export class AudioRing {
  readonly buffer: SharedArrayBuffer;
  readonly capacity: number;
  readonly #index: Int32Array;
  readonly #data: Uint8Array;

  /** Attaches to a ring that `AudioRing.create` made, on this thread or on another. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.capacity = buffer.byteLength - HEADER_BYTES;
    this.#index = new Int32Array(buffer, 0, 3);
    this.#data = new Uint8Array(buffer, HEADER_BYTES);
  }

  /** @param capacity bytes, a power of two (8192 holds 1.02 s of 8 kHz G.711) */
  static create(capacity: number): AudioRing {
    if (capacity <= 0 || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`ring capacity must be a power of two, not ${capacity}`);
    }
    return new AudioRing(new SharedArrayBuffer(HEADER_BYTES + capacity));
  }

  /** Bytes that the reader can take now. */
  get readable(): number {
    return (Atomics.load(this.#index, WRITTEN) - Atomics.load(this.#index, READ)) | 0;
  }

  /** Bytes that the writer can add now. */
  get writable(): number {
    return this.capacity - this.readable;
  }

  /** Writer: adds what fits. @returns the bytes taken; the rest stays with the caller. */
  write(bytes: Uint8Array, offset = 0, length = bytes.length - offset): number {
    const taken = Math.min(length, this.writable);
    if (taken <= 0) return 0;
    const written = Atomics.load(this.#index, WRITTEN);
    const at = (written >>> 0) % this.capacity;
    const head = Math.min(taken, this.capacity - at);
    this.#copyIn(bytes, offset, at, head);
    if (taken > head) this.#copyIn(bytes, offset + head, 0, taken - head);
    Atomics.store(this.#index, WRITTEN, (written + taken) | 0);
    return taken;
  }

  /** Reader: takes up to `length` bytes into `into` at `offset`. @returns the bytes taken. */
  read(into: Uint8Array, offset = 0, length = into.length - offset): number {
    const taken = Math.min(length, this.readable);
    if (taken <= 0) return 0;
    const read = Atomics.load(this.#index, READ);
    const at = (read >>> 0) % this.capacity;
    const head = Math.min(taken, this.capacity - at);
    this.#copyOut(into, offset, at, head);
    if (taken > head) this.#copyOut(into, offset + head, 0, taken - head);
    Atomics.store(this.#index, READ, (read + taken) | 0);
    return taken;
  }

  /** Writer: asks the reader to drop everything written so far (barge-in, `audio.clear`). */
  requestFlush(): void {
    Atomics.store(this.#index, FLUSH, Atomics.load(this.#index, WRITTEN));
  }

  /** Reader: drops what a flush asked for. @returns the bytes dropped, 0 as a rule. */
  applyFlush(): number {
    const read = Atomics.load(this.#index, READ);
    const dropped = (Atomics.load(this.#index, FLUSH) - read) | 0;
    // A mark that is older than what is here (or that the counters have wrapped past) asks for nothing.
    if (dropped <= 0 || dropped > this.readable) return 0;
    Atomics.store(this.#index, READ, (read + dropped) | 0);
    return dropped;
  }

  #copyIn(bytes: Uint8Array, offset: number, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.#data[at + i] = bytes[offset + i] as number;
  }

  #copyOut(into: Uint8Array, offset: number, at: number, length: number): void {
    for (let i = 0; i < length; i++) into[offset + i] = this.#data[at + i] as number;
  }
}
