import type { RefusalCode } from '../errors.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { RecentRefusals, RefusalEntry } from './recent-refusals.ts';

/** Where a refusal is told: log, counter, and the list that an operator reads. */
export interface RefusalBook {
  log: Log;
  metrics: Metrics;
  refusals: RecentRefusals;
  now: () => number;
}

/** A refusal as it happens. */
export type NewRefusal = Omit<RefusalEntry, 'at'> & { code: RefusalCode };

const CALLED_MOST = 200;

/** Writes a refusal down. @param refusal whose `called` may have any length */
export function writeDown({ log, metrics, refusals, now }: RefusalBook, refusal: NewRefusal): void {
  const entry = { ...refusal, called: refusal.called.slice(0, CALLED_MOST) };
  metrics.refusals_total.inc({ code: entry.code });
  refusals.add({ at: new Date(now()).toISOString(), ...entry });
  log.info(entry, 'refused');
}
