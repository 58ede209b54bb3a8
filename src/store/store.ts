import type { Kysely, Transaction } from 'kysely';
import { StoreUnavailable } from '../errors.ts';
import { Availability } from './availability.ts';
import { openPostgres } from './postgres-store.ts';
import type { Schema } from './schema.ts';
import { openSqlite } from './sqlite-store.ts';

/** A change of several rows that are written together or not at all. It may be run again from its start. */
export type Change<T> = (transaction: Transaction<Schema>) => Promise<T>;

/** A database as one of the two adapters has opened it, its schema up to date. */
export interface Database {
  readonly dialect: 'sqlite' | 'postgres';
  /** For reads. @throws StoreUnavailable */
  readonly db: Kysely<Schema>;
  /**
   * Runs a change in a transaction: on SQLite one that changes which come together share, and that runs them one by one;
   * on PostgreSQL one of its own, beside those of others (rows that are read to be changed: `claims.ts`). A change that
   * throws is undone alone. The promise resolves when what was written is on disk. Inside a change no network may be
   * awaited, only its transaction may be used (not `db`, not `write`), and no error of a query may be caught: PostgreSQL
   * has given the transaction up then.
   * @throws StoreUnavailable
   */
  write<T>(change: Change<T>): Promise<T>;
  /** Waits for what is still to be written. */
  close(): Promise<void>;
}

/** Where everything that must survive is kept. */
export interface Store extends Database {
  /** False from a probe that failed to the next that succeeds. */
  readonly isAvailable: boolean;
  /** Changes that are being written, or wait to be. */
  readonly writing: number;
  /** For what should not wait until a query has failed. @throws StoreUnavailable while it is not available */
  assertAvailable(): void;
}

/** Called when the store is lost, with why, and when it is back. */
export type AvailabilityListener = (available: boolean, error?: StoreUnavailable) => void;

interface StoreListener {
  onAvailability?: AvailabilityListener;
  /** A change is on disk, or has failed. @param ms how long it took */
  onWritten?: (ms: number, error?: unknown) => void;
}

/**
 * Opens the store and brings its schema up to date.
 * @param url `sqlite:PATH` or `postgres://…`
 * @param now wall clock, ms
 * @throws StoreUnavailable
 */
export async function openStore(
  url: string,
  now: number,
  { onAvailability = () => undefined, onWritten = () => undefined }: StoreListener = {},
): Promise<Store> {
  const sqlite = /^sqlite:(.+)$/.exec(url)?.[1];
  const database = await (sqlite === undefined ? openPostgres(url, now) : openSqlite(sqlite, now));
  const availability = new Availability(database, onAvailability);
  let writing = 0;
  return {
    dialect: database.dialect,
    db: database.db,
    get isAvailable() {
      return availability.error === undefined;
    },
    assertAvailable: () => {
      if (availability.error) throw availability.error;
    },
    get writing() {
      return writing;
    },
    write: async (change) => {
      const startedAt = performance.now();
      writing++;
      try {
        const result = await database.write(change);
        onWritten(performance.now() - startedAt);
        return result;
      } catch (error) {
        if (error instanceof StoreUnavailable) availability.suspect();
        onWritten(performance.now() - startedAt, error);
        throw error;
      } finally {
        writing--;
      }
    },
    close: async () => {
      await availability.close();
      await database.close();
    },
  };
}
