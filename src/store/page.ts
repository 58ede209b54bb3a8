import { type ReferenceExpression, type SelectQueryBuilder, sql } from 'kysely';

/** A page of a list, newest first (contract §1). */
export interface Page {
  limit: number;
  /** Ids: those after, or before, this one in the list. */
  startingAfter?: string | undefined;
  endingBefore?: string | undefined;
}

/**
 * Reads a page of what a query selects.
 * @param id the column of the ids, which are sortable by time; so are the cursors
 * @returns the rows, newest first, and whether there are more that way
 */
export async function readPage<DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  id: ReferenceExpression<DB, TB> & string,
  { limit, startingAfter, endingBefore }: Page,
): Promise<{ rows: Row[]; hasMore: boolean }> {
  const backwards = endingBefore !== undefined && startingAfter === undefined;
  const column = sql.ref<string>(id);
  let wanted = query;
  if (startingAfter !== undefined) wanted = wanted.where(column, '<', startingAfter);
  if (endingBefore !== undefined) wanted = wanted.where(column, '>', endingBefore);
  const rows = await wanted
    .orderBy(column, backwards ? 'asc' : 'desc')
    .limit(limit + 1)
    .execute();
  const shown = rows.slice(0, limit);
  return { rows: backwards ? shown.reverse() : shown, hasMore: rows.length > limit };
}
