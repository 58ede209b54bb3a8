import { forEachGrown, type LatencyCounts } from '../telemetry/latency-histogram.ts';

/** What a media worker counts, as far as its load shows in it. */
export interface WorkerCounts {
  readonly name: string;
  /** Monotonic ms; another one of the same name has another. */
  readonly startedAt: number;
  readonly legs: number;
  readonly busyMs: number;
  readonly late: LatencyCounts;
}

/** How loaded media workers are, from how their counters grow between two looks. */
export class MediaLoad {
  readonly #before = new Map<string, WorkerCounts & { at: number }>();

  /**
   * @param now monotonic ms
   * @returns of the worker that a new session would come to, the one with the fewest legs: by how much it woke late to
   *   send, as a mean, and the percentage of the time in which it was busy
   */
  measure(workers: readonly WorkerCounts[], now: number): { lateMs: number; busyPercent: number } {
    let emptiest: WorkerCounts | undefined;
    let load = { lateMs: 0, busyPercent: 0 };
    for (const worker of workers) {
      const grown = this.#grown(worker, now);
      if (emptiest !== undefined && emptiest.legs <= worker.legs) continue;
      emptiest = worker;
      load = grown;
    }
    return load;
  }

  #grown(worker: WorkerCounts, now: number): { lateMs: number; busyPercent: number } {
    const known = this.#before.get(worker.name);
    this.#before.set(worker.name, { ...worker, at: now });
    if (known?.startedAt !== worker.startedAt || now <= known.at) return { lateMs: 0, busyPercent: 0 };
    let [sum, total] = [0, 0];
    forEachGrown(worker.late, known.late, (ms, count) => {
      sum += ms * count;
      total += count;
    });
    const busyPercent = Math.min(100, (100 * (worker.busyMs - known.busyMs)) / (now - known.at));
    return { lateMs: total === 0 ? 0 : sum / total, busyPercent };
  }
}
