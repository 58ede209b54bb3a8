import pg from 'pg';
import { StoreUnavailable } from '../errors.ts';

/**
 * SQLSTATEs (PostgreSQL, appendix A) after which the same query may succeed later: connection exceptions (08), insufficient
 * resources such as a full disk (53), operator intervention such as a shutdown or a statement that took too long (57),
 * system errors (58), a transaction that stood idle (25P03), a server that only reads for now (25006), a lock that was
 * not to be had (55P03).
 */
const passing = /^(08|53|57|58)|^(25P03|25006|55P03)$/;

const stateOf = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError ? error.code : undefined;

/** The connection is of no use any more: the error is not the server's answer to a query, or the server ends it. */
export const isConnectionFault = (error: unknown): boolean => {
  if (error instanceof TypeError) return false;
  const state = stateOf(error);
  return state === undefined || /^(08|57P|25P03)/.test(state);
};

/** What a failure is thrown on as. @param at `connect`: whatever keeps us from a connection makes the store unavailable */
export function asStoreError(error: unknown, at: 'connect' | 'query' = 'query'): unknown {
  const unavailable = at === 'connect' || isConnectionFault(error) || passing.test(stateOf(error) ?? '');
  return unavailable ? new StoreUnavailable(error) : error;
}

/** A deadlock, or a serialization failure: the transaction was undone, and is to be run again. */
export const isConflict = (error: unknown): boolean => /^40(P01|001)$/.test(stateOf(error) ?? '');
