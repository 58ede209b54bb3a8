import type { Transaction } from 'kysely';
import type { SessionId } from '../ids.ts';
import type { Schema } from '../store/schema.ts';
import { iso } from './session-view.ts';

/** Whether a session's speech is translated now; null while no call is up. */
export type TranslationState = 'active' | 'degraded' | null;

/** Since when the speech of a session has not been translated, and why. */
export interface Outage {
  /** Wall clock, ms: when the pipeline was missed first, with a call that was up. */
  since: number;
  reason: 'pipeline_lost' | 'pipeline_not_ready';
  /** In plain words. */
  detail: string;
}

/**
 * @param aliveAt wall clock, ms, where the session is seen alive with it
 * @returns whether the session is there and has not ended; what has ended stays as it is
 */
export async function keepTranslation(
  transaction: Transaction<Schema>,
  id: SessionId,
  translation: TranslationState,
  aliveAt?: number,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable('sessions')
    .set({ translation, ...(aliveAt !== undefined && { last_alive_at: aliveAt }) })
    .where('id', '=', id)
    .where('status', '!=', 'ended')
    .executeTakeFirstOrThrow();
  return numUpdatedRows === 1n;
}

/** `data` of `session.degraded`. */
export const degradedData = (id: SessionId, { since, reason, detail }: Outage) => ({
  session_id: id,
  reason,
  detail,
  since: iso(since),
});

/** `data` of `session.recovered`. @param at wall clock, ms: when the pipeline was back */
export const recoveredData = (id: SessionId, since: number, at: number) => ({
  session_id: id,
  since: iso(since),
  recovered_at: iso(at),
  outage_seconds: Math.max(0, at - since) / 1000,
});
