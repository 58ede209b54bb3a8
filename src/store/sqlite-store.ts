import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Kysely } from 'kysely';
import { CommitGroup } from './commit-group.ts';
import { migrate } from './migrations.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite-dialect.ts';
import { isBusy } from './sqlite-errors.ts';
import type { Database } from './store.ts';
import { WalFile } from './wal-file.ts';

/** How long a start waits for another process that holds the file, such as one that brings the schema up to date. */
const OPEN_MOST_MS = 30_000;
const PAUSE_MS = 50;

/** @param path of the file, which is made with its folder; or `:memory:` */
export async function openSqlite(path: string, now: number): Promise<Database> {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  const db = new Kysely<Schema>({ dialect: sqliteDialect(path) });
  try {
    await migrateWhenFree(db, now);
  } catch (error) {
    await db.destroy().catch(() => undefined);
    throw error;
  }
  const wal = path === ':memory:' ? undefined : new WalFile(path);
  const group = new CommitGroup(db, async () => wal?.sync());
  return {
    dialect: 'sqlite',
    db,
    write: (change) => group.add(change),
    close: async () => {
      await group.settle();
      await wal?.close();
      await db.destroy();
    },
  };
}

async function migrateWhenFree(db: Kysely<Schema>, now: number): Promise<void> {
  const deadline = performance.now() + OPEN_MOST_MS;
  for (;;) {
    try {
      return await migrate(db, 'sqlite', now);
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      await pause(PAUSE_MS);
    }
  }
}
