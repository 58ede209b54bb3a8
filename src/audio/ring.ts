import { RING_LATENCY_BYTES, RingLatency } from './ring-latency.ts';

/**
 * A byte ring for one writer and one reader on different threads, in a SharedArrayBuffer. It carries audio between
 * the main thread and a media worker without messages (architecture, "Threads"). Positions are free-running 32-bit
 * counters, so `written - read` is the fill, whatever wraps.
 *
 * Layout: three Int32 (written, read, flush mark) and one that is spare, the latency, and then `capacity` bytes; capacity
 * is a power of two.
 */
const WRITTEN = 0;
const READ = 1;
const FLUSH = 2;
const INDEX_BYTES = 16;
const HEADER_BYTES = INDEX_BYTES + RING_LATENCY_BYTES;

const { copy } = Buffer.prototype;

export class AudioRing {
  readonly buffer: SharedArrayBuffer;
  readonly capacity: number;
  /** How long audio takes to the far end of the ring. */
  readonly latency: RingLatency;
  readonly #index: Int32Array;
  readonly #data: Uint8Array;
  readonly #mask: number;
  /** Reader: the mark of the last flush, so that it is not taken for a new one when the counters wrap. */
  #flushed = 0;

  /** Attaches to a ring that `AudioRing.create` made, on this thread or on another. */
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.capacity = buffer.byteLength - HEADER_BYTES;
    this.#mask = this.capacity - 1;
    this.#index = new Int32Array(buffer, 0, 3);
    this.latency = new RingLatency(buffer, INDEX_BYTES);
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

  /**
   * Reader: bytes that have come, without the price of Atomics. Of what came just now the next look tells, so it is for
   * those who look often; `read` makes sure of what it reads.
   */
  get waiting(): number {
    return ((this.#index[WRITTEN] as number) - (this.#index[READ] as number)) | 0;
  }

  /** Writer: the position behind the last byte that was written, as `latency` counts them. */
  get written(): number {
    return this.#index[WRITTEN] as number;
  }

  /** Reader: the position behind the last byte that was read. */
  get taken(): number {
    return this.#index[READ] as number;
  }

  // A thread reads its own position plainly, and only the other's with Atomics: those are calls, and this is the path
  // of every packet. `copy` makes no view of what it copies, as `set` does, and is faster than that and than a loop.

  /** Writer: adds what fits. @returns the bytes taken; the rest stays with the caller. */
  write(bytes: Uint8Array, offset = 0, length = bytes.length - offset): number {
    const written = this.#index[WRITTEN] as number;
    const fill = (written - Atomics.load(this.#index, READ)) | 0;
    const taken = Math.min(length, this.capacity - fill);
    if (taken <= 0) return 0;
    const at = written & this.#mask;
    const head = Math.min(taken, this.capacity - at);
    copy.call(bytes, this.#data, at, offset, offset + head);
    if (taken > head) copy.call(bytes, this.#data, 0, offset + head, offset + taken);
    Atomics.store(this.#index, WRITTEN, (written + taken) | 0);
    return taken;
  }

  /**
   * Writer: copies the last bytes that were written, read or not, to the end of `into`.
   * @returns how many: fewer than `into` holds only at the beginning
   */
  recent(into: Uint8Array): number {
    const written = this.#index[WRITTEN] as number;
    const count = Math.min(into.length, this.capacity, written >>> 0);
    const at = (written - count) & this.#mask;
    const head = Math.min(count, this.capacity - at);
    const start = into.length - count;
    copy.call(this.#data, into, start, at, at + head);
    copy.call(this.#data, into, start + head, 0, count - head);
    return count;
  }

  /** Reader: takes up to `length` bytes into `into` at `offset`. @returns the bytes taken. */
  read(into: Uint8Array, offset = 0, length = into.length - offset): number {
    const read = this.#index[READ] as number;
    const taken = Math.min(length, (Atomics.load(this.#index, WRITTEN) - read) | 0);
    if (taken <= 0) return 0;
    const at = read & this.#mask;
    const head = Math.min(taken, this.capacity - at);
    copy.call(this.#data, into, offset, at, at + head);
    if (taken > head) copy.call(this.#data, into, offset + head, 0, taken - head);
    Atomics.store(this.#index, READ, (read + taken) | 0);
    return taken;
  }

  /** Reader: drops all that it could take now. */
  drop(): void {
    Atomics.store(this.#index, READ, Atomics.load(this.#index, WRITTEN));
  }

  /** Writer: asks the reader to drop everything written so far (barge-in, `audio.clear`). */
  requestFlush(): void {
    Atomics.store(this.#index, FLUSH, this.#index[WRITTEN] as number);
  }

  /** Reader: drops what a flush asked for. @returns the bytes dropped, 0 as a rule. */
  applyFlush(): number {
    const mark = Atomics.load(this.#index, FLUSH);
    if (mark === this.#flushed) return 0;
    this.#flushed = mark;
    const read = this.#index[READ] as number;
    const dropped = (mark - read) | 0;
    // What the mark covers may have been read already.
    if (dropped <= 0) return 0;
    Atomics.store(this.#index, READ, (read + dropped) | 0);
    return dropped;
  }
}
