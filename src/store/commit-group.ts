import { setTimeout as pause, setImmediate } from 'node:timers/promises';
import { type Kysely, sql, type Transaction } from 'kysely';
import { StoreUnavailable } from '../errors.ts';
import type { Schema } from './schema.ts';
import { isBusy } from './sqlite-errors.ts';
import type { Change } from './store.ts';

/** How long a change waits for others to share its commit, ms. */
const GROUP_MS = 2;
/** A group of this many changes is committed without waiting for more. */
const GROUP_MOST = 200;
/** While another process holds the file, a change is tried again for so long, with a pause in between. */
const BUSY_MOST_MS = 5000;
const BUSY_PAUSE_MS = 50;
/** More changes than this are not kept waiting. */
const WAITING_MOST = 10_000;

interface Waiting {
  change: Change<unknown>;
  /** When it is given up, on the clock that never jumps. */
  deadline: number;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** SQLite's changes, of which those that come together share one durable commit (architecture, rule 8). */
export class CommitGroup {
  readonly #db: Kysely<Schema>;
  readonly #sync: () => Promise<void>;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param sync brings what has been committed onto the disk */
  constructor(db: Kysely<Schema>, sync: () => Promise<void>) {
    this.#db = db;
    this.#sync = sync;
  }

  /** @throws StoreUnavailable when the file is locked for too long, the disk is full, or too much waits already */
  add<T>(change: Change<T>): Promise<T> {
    if (this.#waiting.length >= WAITING_MOST)
      return Promise.reject(new StoreUnavailable(new Error('too many changes wait')));
    return new Promise<T>((resolve, reject) => {
      const deadline = performance.now() + BUSY_MOST_MS;
      this.#waiting.push({ change, deadline, resolve: resolve as (value: unknown) => void, reject });
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
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Commits group after group until nothing waits; between two of them everybody else has a turn. */
  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, GROUP_MOST);
      try {
        const outcomes = await this.#commit(group);
        await this.#sync();
        for (const settle of outcomes) settle();
        await setImmediate();
      } catch (error) {
        if (isBusy(error)) await this.#retryLater(group, error);
        else for (const { reject } of group) reject(error);
      }
    }
  }

  async #retryLater(group: Waiting[], error: unknown): Promise<void> {
    const now = performance.now();
    this.#waiting = [...group, ...this.#waiting].filter(({ deadline, reject }) => {
      if (deadline <= now) reject(error);
      return deadline > now;
    });
    await pause(BUSY_PAUSE_MS);
  }

  #commit(group: Waiting[]): Promise<(() => void)[]> {
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
    await undo(transaction, error);
    return () => reject(error);
  }
}

/** @throws the change's own error when SQLite has rolled back the whole group over it, savepoint and all */
async function undo(transaction: Transaction<Schema>, error: unknown): Promise<void> {
  try {
    await sql`rollback to one`.execute(transaction);
    await sql`release one`.execute(transaction);
  } catch {
    throw error;
  }
}
