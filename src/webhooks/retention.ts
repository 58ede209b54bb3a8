import type { Store } from '../store/store.ts';

const KEPT_MS = 30 * 24 * 3_600_000;
/** Events deleted in one transaction. */
const BATCH = 200;
/** Batches of one sweep; the next one goes on. */
const BATCHES_MOST = 50;

/** Deletes events older than 30 days with their deliveries and attempts. @returns how many events */
export async function sweepOldEvents(store: Store, now: number): Promise<number> {
  let swept = 0;
  for (let batch = 0; batch < BATCHES_MOST; batch++) {
    // Sequences rise with time, so that the oldest are found without looking through all.
    const oldest = await store.db
      .selectFrom('events')
      .select(['id', 'created_at'])
      .orderBy('sequence')
      .limit(BATCH)
      .execute();
    const old = oldest.filter((event) => event.created_at < now - KEPT_MS).map(({ id }) => id);
    if (old.length > 0)
      await store.write((transaction) => transaction.deleteFrom('events').where('id', 'in', old).execute());
    swept += old.length;
    if (old.length < BATCH) break;
  }
  return swept;
}

/** Deliveries that are still to be made. */
export async function countBacklog({ db }: Store): Promise<number> {
  const { count } = await db
    .selectFrom('deliveries')
    .select(({ fn }) => fn.countAll().as('count'))
    .where('status', '=', 'pending')
    .executeTakeFirstOrThrow();
  return Number(count);
}
