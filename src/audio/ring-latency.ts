import { LATENCY_BYTES, type LatencyCounts, LatencyHistogram } from '../telemetry/latency-histogram.ts';

/**
 * How long audio takes from its arrival to the far end of its ring: the writer notes when what it wrote came, the reader
 * counts how long ago that was. Writer and reader may be different threads; nothing is allocated.
 *
 * Layout of its part of the ring's memory: the times (Float64), the positions in the ring up to which each of them counts
 * (Int32), how many have been noted (Int32), the histogram.
 */
/** More than come in a second: of a reader that is later than that the rest is not known. */
const NOTES = 128;
const POSITIONS = NOTES * Float64Array.BYTES_PER_ELEMENT;
const NOTED = POSITIONS + NOTES * Int32Array.BYTES_PER_ELEMENT;
const HISTOGRAM = NOTED + Int32Array.BYTES_PER_ELEMENT;

/** Bytes of it, so that what follows lies on an even address. */
export const RING_LATENCY_BYTES = Math.ceil((HISTOGRAM + LATENCY_BYTES) / 8) * 8;

/** `performance.now()` counts from the start of its thread; with this it counts from the start of the machine. */
const threadOrigin = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export class RingLatency {
  readonly #times: Float64Array;
  readonly #positions: Int32Array;
  readonly #noted: Int32Array;
  readonly #histogram: LatencyHistogram;
  /** Reader: notes that are of no use any more. */
  #passed = 0;
  /** Reader: of the note that `next` came to, the position, and when what lies before it came, this thread's monotonic ms. */
  position = 0;
  at = 0;

  /** @param buffer `RING_LATENCY_BYTES` of it from `offset` on, which is a multiple of 8 */
  constructor(buffer: SharedArrayBuffer, offset: number) {
    this.#times = new Float64Array(buffer, offset, NOTES);
    this.#positions = new Int32Array(buffer, offset + POSITIONS, NOTES);
    this.#noted = new Int32Array(buffer, offset + NOTED, 1);
    this.#histogram = new LatencyHistogram(buffer, offset + HISTOGRAM);
  }

  /** Writer: what lies before `position`, and was not noted before, came at this time. @param at this thread's monotonic ms */
  note(position: number, at: number): void {
    const noted = this.#noted[0] as number;
    const index = noted & (NOTES - 1);
    this.#times[index] = at + threadOrigin;
    this.#positions[index] = position;
    // The reader is told last.
    Atomics.store(this.#noted, 0, (noted + 1) | 0);
  }

  /** Reader: all before `position` is handed on now; how long ago its last byte came is counted. */
  count(position: number, now: number): void {
    for (let left = this.#catchUp(); left > 0; left--) {
      const index = this.#passed & (NOTES - 1);
      if ((((this.#positions[index] as number) - position) | 0) >= 0) {
        this.#add(index, now);
        return;
      }
      this.#passed = (this.#passed + 1) | 0;
    }
  }

  /** Reader: what has been noted since the last call can be handed on from now. */
  countNoted(now: number): void {
    for (let left = this.#catchUp(); left > 0; left--) {
      this.#add(this.#passed & (NOTES - 1), now);
      this.#passed = (this.#passed + 1) | 0;
    }
  }

  /** Reader: goes to the next note, which is not counted; those that were overwritten are left out. @returns whether there is one */
  next(): boolean {
    if (this.#catchUp() === 0) return false;
    const index = this.#passed & (NOTES - 1);
    this.position = this.#positions[index] as number;
    this.at = (this.#times[index] as number) - threadOrigin;
    this.#passed = (this.#passed + 1) | 0;
    return true;
  }

  /** What has been counted so far. */
  read(): LatencyCounts {
    return this.#histogram.read();
  }

  /** Lets go of what has been overwritten. @returns how many notes there are to look at */
  #catchUp(): number {
    const noted = Atomics.load(this.#noted, 0);
    if (((noted - this.#passed) | 0) > NOTES) this.#passed = (noted - NOTES) | 0;
    return (noted - this.#passed) | 0;
  }

  #add(index: number, now: number): void {
    this.#histogram.add(now + threadOrigin - (this.#times[index] as number));
  }
}
