import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { threadName } from 'node:worker_threads';

/**
 * Loaded by `--import` into every thread of a process that is measured: writes down, once a second, by how much the event
 * loop of the thread was late at worst. A line is `<wall clock, ms> <late, ms>`; the folder is in LOAD_LOOP_DELAY.
 */
const folder = process.env.LOAD_LOOP_DELAY;
/** More often would be a cost of its own. */
const RESOLUTION_MS = 5;

if (folder !== undefined) {
  const file = join(folder, threadName || 'main');
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  setInterval(() => {
    const late = Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
    histogram.reset();
    appendFileSync(file, `${Date.now()} ${late.toFixed(2)}\n`);
  }, 1_000).unref();
}
