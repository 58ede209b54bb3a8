import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { threadName } from 'node:worker_threads';

/**
 * Loaded by `--import` into every thread of a process that is measured: writes down, once a second, by how much the event
 * loop of the thread was late at worst, what its garbage collector took, and the memory it has. A line is `<wall clock, ms>
 * <late, ms> <longest pause, ms> <all pauses, ms> <heap, bytes> <external, bytes>
 * <RSS of the process, bytes>`; the folder is in LOAD_THREAD_WATCH.
 */
const folder = process.env.LOAD_THREAD_WATCH;
/** More often would be a cost of its own. */
const RESOLUTION_MS = 5;

if (folder !== undefined) {
  const file = join(folder, threadName || 'main');
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let longest = 0;
  let pauses = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      longest = Math.max(longest, duration);
      pauses += duration;
    }
  }).observe({ entryTypes: ['gc'] });
  setInterval(() => {
    const late = Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
    histogram.reset();
    const figures = [late, longest, pauses].map((ms) => ms.toFixed(2));
    const { heapUsed, external, rss } = process.memoryUsage();
    appendFileSync(file, `${Date.now()} ${figures.join(' ')} ${heapUsed} ${external} ${rss}\n`);
    longest = 0;
    pauses = 0;
  }, 1_000).unref();
}
