/**
 * How long something takes, counted in buckets of a logarithmic scale: each ends 9 % later than the one before, eight of
 * them double. A few hundred bytes whatever is counted, and nothing is allocated.
 */
const FIRST_MS = 0.125;
const PER_OCTAVE = 8;
const OCTAVES = 14;
/** The first is for all below 0.125 ms, the last for all above 2 s. */
const BUCKETS = OCTAVES * PER_OCTAVE + 2;

/** Bytes of a histogram in shared memory. */
export const LATENCY_BYTES = BUCKETS * Int32Array.BYTES_PER_ELEMENT;

/** How many were in each bucket. */
export type LatencyCounts = Int32Array;

/** Where a bucket ends, ms; the first is number 0, the last one has no end. */
export const endOfBucket = (bucket: number): number => FIRST_MS * 2 ** (bucket / PER_OCTAVE);

export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
}

/** A histogram that one thread counts into, and any may read. */
export class LatencyHistogram {
  readonly #counts: LatencyCounts;

  /** @param buffer `LATENCY_BYTES` of it from `offset` on */
  constructor(buffer: SharedArrayBuffer, offset = 0) {
    this.#counts = new Int32Array(buffer, offset, BUCKETS);
  }

  add(ms: number): void {
    const bucket = ms < FIRST_MS ? 0 : Math.floor(Math.log2(ms / FIRST_MS) * PER_OCTAVE) + 1;
    const index = Math.min(BUCKETS - 1, bucket);
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** A copy of the counts as they are now. */
  read(): LatencyCounts {
    return Int32Array.from(this.#counts);
  }
}

export const noLatency: LatencyCounts = new Int32Array(BUCKETS);

/** @returns ms, the end of the bucket, two digits behind the point; null when nothing was counted */
export function percentilesOf(counts: LatencyCounts): Percentiles | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const percentile = (share: number): number => {
    let left = Math.ceil(total * share);
    const bucket = counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return Math.round(endOfBucket(bucket) * 100) / 100;
  };
  return { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) };
}

/** Calls `take` with the end of each bucket, ms, that has grown since `before`, and by how much. */
export function forEachGrown(
  counts: LatencyCounts,
  before: LatencyCounts | undefined,
  take: (ms: number, count: number) => void,
): void {
  counts.forEach((count, bucket) => {
    const grown = count - (before?.[bucket] ?? 0);
    if (grown > 0) take(endOfBucket(bucket), grown);
  });
}
