import { totalmem } from 'node:os';
import { constrainedMemory, memoryUsage } from 'node:process';
import { getHeapStatistics } from 'node:v8';

let ofProcess = 0;

/**
 * The process against what it may have, and the calling thread's heap against its limit: whichever is nearer to its end. A
 * process that gets no more files cannot read the former, and stays at what it was.
 * @returns share, 0 to 1
 */
export function memoryInUse(): number {
  try {
    const resident = memoryUsage.rss();
    const allowed = constrainedMemory();
    ofProcess = resident / (allowed > 0 ? Math.min(allowed, totalmem()) : totalmem());
  } catch {
    // What is known has to do.
  }
  const { used_heap_size: heap, heap_size_limit: heapLimit } = getHeapStatistics();
  return Math.max(ofProcess, heap / heapLimit);
}
