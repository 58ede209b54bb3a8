import { totalmem } from 'node:os';
import { constrainedMemory, memoryUsage } from 'node:process';
import { getHeapStatistics } from 'node:v8';

/**
 * The process against what it may have, and the calling thread's heap against its limit: whichever is nearer to its end.
 * @returns share, 0 to 1
 */
export function memoryInUse(): number {
  const allowed = constrainedMemory();
  const total = allowed > 0 ? Math.min(allowed, totalmem()) : totalmem();
  const { used_heap_size: heap, heap_size_limit: heapLimit } = getHeapStatistics();
  return Math.max(memoryUsage.rss() / total, heap / heapLimit);
}
