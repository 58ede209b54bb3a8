import { setTimeout as pause } from 'node:timers/promises';
import { Kysely, PostgresDialect } from 'kysely';
import { migrate } from './migrations.ts';
import { isConflict } from './postgres-errors.ts';
import { openPool, type PostgresPoolOptions } from './postgres-pool.ts';
import type { Schema } from './schema.ts';
import type { Change, Database } from './store.ts';

const POOL = { size: 10, statementMs: 5000 };
/** Bringing the schema up to date takes as long as it takes, and waits for another node that is at it. */
const MIGRATION = { size: 1, statementMs: 120_000 };
/** A change that lost against another one, in a deadlock, is run so many times. */
const ATTEMPTS = 3;

const connect = (url: string, options: PostgresPoolOptions) =>
  new Kysely<Schema>({ dialect: new PostgresDialect({ pool: openPool(url, options) }) });

/** @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; the database must be there */
export async function openPostgres(url: string, now: number): Promise<Database> {
  const migration = connect(url, MIGRATION);
  await migrate(migration, 'postgres', now).finally(() => migration.destroy());
  const db = connect(url, POOL);
  const running = new Set<Promise<unknown>>();
  return {
    dialect: 'postgres',
    db,
    write: (change) => {
      const work = writeChange(db, change);
      const done = work.catch(() => undefined).finally(() => running.delete(done));
      running.add(done);
      return work;
    },
    close: async () => {
      await Promise.all(running);
      await db.destroy();
    },
  };
}

async function writeChange<T>(db: Kysely<Schema>, change: Change<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(change);
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
      await pause(Math.random() * 20 * attempt);
    }
  }
}
