import type { Overload as LoadOverload } from './load.ts';
import type { EngineStats } from './stats.ts';

/** Why a request is not taken: a table is full, its source has more than its share, all is late, or memory is short. */
export type Overload = 'full' | 'share' | LoadOverload;

const reasons = {
  full: 'overloadedFull',
  share: 'overloadedShare',
  late: 'overloadedLate',
  memory: 'overloadedMemory',
} as const satisfies Record<Overload, keyof EngineStats>;

/** Counts what was not taken: all of it, and by its reason. */
export function countOverload(stats: EngineStats, why: Overload): void {
  stats.overloaded += 1;
  stats[reasons[why]] += 1;
}
