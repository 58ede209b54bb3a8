import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { asStoreError, isConnectionFault } from './postgres-errors.ts';

export interface PostgresPoolOptions {
  /** Connections at most. */
  size: number;
  /** The server gives a statement up after so long, ms, locks included. */
  statementMs: number;
}

/** For a connection, and for a place in the pool. */
const CONNECT_MS = 3000;
/** We give up later than the server, and only where it has gone without a word. */
const SILENCE_MS = 1000;
/** A node that stands still inside a transaction loses its locks. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/** `bigint`, and the `numeric` that sums of it are: what is counted here stays under 2^53. */
const numbers: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

/**
 * A bounded pool for kysely, whose failures are `StoreUnavailable`. A connection that breaks costs the query that uses
 * it, never the process.
 */
export function openPool(url: string, { size, statementMs }: PostgresPoolOptions): PostgresPool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'kallglot-sip-gateway',
    max: size,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: statementMs,
    query_timeout: statementMs + SILENCE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    types: { getTypeParser: typeParser as typeof pg.types.getTypeParser },
  });
  // An idle connection that breaks is taken out of the pool by itself.
  pool.on('error', ignore);
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => {
      try {
        return new GuardedClient(await pool.connect()) as unknown as PostgresPoolClient;
      } catch (error) {
        throw asStoreError(error, 'connect');
      }
    },
  };
}

const typeParser = (oid: number, format: 'text' | 'binary' = 'text') =>
  numbers.has(oid) && format === 'text' ? Number : pg.types.getTypeParser(oid, format as 'text');

const ignore = () => undefined;

/** A connection that is taken: the pool does not listen to its errors meanwhile, so we do. */
class GuardedClient {
  readonly #client: pg.PoolClient;
  #broken = false;

  constructor(client: pg.PoolClient) {
    this.#client = client;
    client.on('error', ignore);
  }

  async query(text: string, parameters: readonly unknown[]): Promise<pg.QueryResult> {
    try {
      return await this.#client.query(text, parameters.map(withoutNul));
    } catch (error) {
      this.#broken ||= isConnectionFault(error);
      throw asStoreError(error);
    }
  }

  release(destroy = false): void {
    this.#client.release(destroy || this.#broken);
    this.#client.removeListener('error', ignore);
  }
}

/** PostgreSQL's text cannot hold U+0000, which SQLite's can; it becomes the sign for what cannot be shown. */
const withoutNul = (value: unknown): unknown =>
  typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
