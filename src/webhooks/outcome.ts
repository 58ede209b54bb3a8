import type { Store } from '../store/store.ts';
import type { Claim } from './claims.ts';
import { retryDelay } from './retry-schedule.ts';
import type { Answer } from './sender.ts';

/** What became of a delivery with an attempt: `gone` when it was deleted or taken over by another process meanwhile. */
export type Outcome = 'delivered' | 'retry' | 'failed' | 'gone';

/** An attempt that has been made. */
export interface Attempt {
  answer: Answer;
  /** Wall clock, ms: when it began and when it was over. */
  startedAt: number;
  endedAt: number;
  durationMs: number;
}

/**
 * Writes down an attempt and what follows from it: delivered, another one later, or failed for good. The next event of the
 * session is due at once when this one is settled.
 */
export function recordAttempt(
  store: Store,
  claim: Claim,
  attempt: Attempt,
  chance: number,
): Promise<Outcome> {
  const { answer, endedAt } = attempt;
  const attempts = claim.attempts + 1;
  const delivered = answer.status !== null && answer.status >= 200 && answer.status < 300;
  const delay = delivered ? undefined : retryDelay(attempts, chance);
  const status = delivered ? 'delivered' : delay === undefined ? 'failed' : 'pending';
  return store.write(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('deliveries')
      .set({ status, attempts, due_at: endedAt + (delay ?? 0) })
      .where('id', '=', claim.id)
      .where('status', '=', 'pending')
      .where('attempts', '=', claim.attempts)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return 'gone';
    await transaction
      .insertInto('delivery_attempts')
      .values({
        delivery_id: claim.id,
        attempt: attempts,
        at: attempt.startedAt,
        status: answer.status,
        error: answer.error,
        duration_ms: Math.round(attempt.durationMs),
      })
      .execute();
    if (status === 'pending') return 'retry';
    await transaction
      .updateTable('deliveries')
      .set({ due_at: endedAt })
      .where('endpoint_id', '=', claim.endpointId)
      .where('session_id', '=', claim.sessionId)
      .where('status', '=', 'pending')
      .where('attempts', '=', 0)
      .where('due_at', '>', endedAt)
      .execute();
    return status;
  });
}
