import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, sql, type Transaction } from 'kysely';
import { migrate } from './migrations.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

type Change<T> = (transaction: Transaction<Schema>) => Promise<T>;

/**
 * Where everything that must survive is kept. Reads go through `db`. Changes go through `write`, which groups what
 * came in the last few ms into one durable commit (architecture, rule 8): a promise resolves only after that commit.
 */
export interface Store {
  readonly db: Kysely<Schema>;
  /**
   * Runs a change in a transaction of its own or of a group; a change that throws is undone alone.
   * No network may be awaited inside.
   */
  write<T>(change: Change<T>): Promise<T>;
  close(): Promise<void>;
}

/** @param url `sqlite:PATH`; the file and its folder are made, the schema is brought up to date. */
export async function openStore(url: string, now: number): Promise<Store> {
  const path = url.slice('sqlite:'.length);
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  const db = new Kysely<Schema>({ dialect: sqliteDialect(path) });
  await migrate(db, now);
  const group = new CommitGroup(db);
  return {
    db,
    write: (change) => group.add(change),
    close: async () => {
      await group.settle();
      await db.destroy();
    },
  };
}

const GROUP_MS = 2;
/** Another process holds the file (a backup, a shell): a group is tried again for so long, with a pause in between. */
const BUSY_RETRY_MS = 30_000;
const BUSY_PAUSE_MS = 50;
/** A group of this many changes is committed without waiting for more. */
const GROUP_MOST = 200;

interface Waiting {
  change: Change<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

class CommitGroup {
  readonly #db: Kysely<Schema>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  add<T>(change: Change<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ change, resolve: resolve as (value: unknown) => void, reject });
      if (this.#waiting.length >= GROUP_MOST) this.#start();
      else this.#timer ??= setTimeout(() => this.#start(), GROUP_MS);
    });
  }

  /** Resolves when everything that was added has been committed or refused. */
  async settle(): Promise<void> {
    this.#start();
    while (this.#running !== undefined) await this.#running;
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running !== undefined || this.#waiting.length === 0) return;
    this.#running = this.#commit(this.#waiting.splice(0)).finally(() => {
      this.#running = undefined;
      this.#start();
    });
  }

  async #commit(group: Waiting[]): Promise<void> {
    const deadline = performance.now() + BUSY_RETRY_MS;
    for (;;) {
      try {
        for (const settle of await this.#tryCommit(group)) settle();
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) {
          for (const { reject } of group) reject(error);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
      }
    }
  }

  #tryCommit(group: Waiting[]): Promise<(() => void)[]> {
    return this.#db.transaction().execute(async (transaction) => {
      const outcomes: (() => void)[] = [];
      for (const one of group) outcomes.push(await runAlone(transaction, one));
      return outcomes;
    });
  }
}

/** Runs one change of a group inside a savepoint. @returns what settles its promise once the group is committed. */
async function runAlone(
  transaction: Transaction<Schema>,
  { change, resolve, reject }: Waiting,
): Promise<() => void> {
  await sql`savepoint one`.execute(transaction);
  try {
    const value = await change(transaction);
    await sql`release one`.execute(transaction);
    return () => resolve(value);
  } catch (error) {
    await sql`rollback to one`.execute(transaction);
    await sql`release one`.execute(transaction);
    return () => reject(error);
  }
}

/** SQLITE_BUSY: the lock could not be had, and nothing was changed. */
const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === 5;
