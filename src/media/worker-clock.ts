import { LATENCY_BYTES, type LatencyCounts, LatencyHistogram } from '../telemetry/latency-histogram.ts';

/**
 * How well a media worker keeps time, in a SharedArrayBuffer: the worker counts, the main thread reads without a message.
 * Layout: a Float64 for the ticks that were never sent for, then a histogram.
 */
export class WorkerClock {
  readonly buffer: SharedArrayBuffer;
  readonly #skipped: Float64Array;
  readonly #late: LatencyHistogram;

  /** Attaches to the buffer of another, on this thread or on another. */
  constructor(buffer = new SharedArrayBuffer(8 + LATENCY_BYTES)) {
    this.buffer = buffer;
    this.#skipped = new Float64Array(buffer, 0, 1);
    this.#late = new LatencyHistogram(buffer, 8);
  }

  /**
   * The worker woke to send what was due.
   * @param lateMs how long the first of it had been due
   * @param skipped ticks that it has left out since it began
   */
  woke(lateMs: number, skipped: number): void {
    this.#late.add(Math.max(0, lateMs));
    this.#skipped[0] = skipped;
  }

  /** How late it woke, and how many ticks it has left out since it began. */
  read(): { late: LatencyCounts; skippedTicks: number } {
    return { late: this.#late.read(), skippedTicks: this.#skipped[0] as number };
  }
}
