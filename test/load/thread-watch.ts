import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { threadName } from 'node:worker_threads';

/**
 * Loaded by `--import` into every thread of a process that is measured: writes down, once a second, by how much the event
 * loop of the thread was late at worst, what its garbage collector took, and the memory it has. A line is `<wall clock, ms>
 * <late, ms> <longest pause, ms> <all pauses, ms> <heap, bytes> <external, bytes>
 * <RSS of the process, bytes>`; the folder is in LOAD_THREAD_WATCH. With LOAD_COLLECT_MS all threads collect their garbage
 * so often, at the same moment: what the process has then is what it holds on to.
 */
const folder = process.env.LOAD_THREAD_WATCH;
const collectMs = Number(process.env.LOAD_COLLECT_MS ?? Number.POSITIVE_INFINITY);
/** More often would be a cost of its own. */
const RESOLUTION_MS = 5;

if (folder !== undefined) {
  const file = join(folder, threadName || 'main');
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let longest = 0;
  let pauses = 0;
  let turn = Math.floor(Date.now() / collectMs);
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
    const now = Math.floor(Date.now() / collectMs);
    if (now !== turn) collect();
    turn = now;
  }, 1_000).unref();
}

/** In every thread by its own means: the command line's do not reach workers. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
