import type { SelectQueryBuilder, Transaction } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * Two nodes on one PostgreSQL run their changes side by side. Inside a `store.write`, a row that is read in order to be
 * changed is therefore locked as it is read. SQLite runs one change at a time, and its dialect leaves these words out.
 */

/** The rows that nobody else holds now, held until the transaction ends: how workers claim work without waiting. */
export function forUpdateSkipLocked<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
): SelectQueryBuilder<DB, TB, O> {
  return query.forUpdate().skipLocked();
}

/** Waits for the rows and holds them until the transaction ends; rows that refer to them can still be added. */
export function forUpdate<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
): SelectQueryBuilder<DB, TB, O> {
  return query.forNoKeyUpdate();
}

/** Rows that a row of ours is about to refer to: nobody deletes them before the transaction ends. */
export function forReference<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
): SelectQueryBuilder<DB, TB, O> {
  return query.forKeyShare();
}

/** Until the transaction ends no other node is past this: for what every node does as it starts. */
export async function oneNodeAtATime(transaction: Transaction<Schema>): Promise<void> {
  // Any row that is always there will do.
  await forUpdate(
    transaction.selectFrom('migrations').select('version').where('version', '=', 1),
  ).executeTakeFirstOrThrow();
}
