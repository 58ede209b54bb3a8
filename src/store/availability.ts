import { sql } from 'kysely';
import { StoreUnavailable } from '../errors.ts';
import type { AvailabilityListener, Database } from './store.ts';

const PROBE_MS = 2000;

/** Knows whether the database takes changes, from a probe every 2 s and one after each change that could not be made. */
export class Availability {
  readonly #database: Database;
  readonly #onChange: AvailabilityListener;
  readonly #timer: NodeJS.Timeout;
  #probing: Promise<void> | undefined;
  #suspected = false;
  /** Why the last probe failed. */
  error: StoreUnavailable | undefined;

  constructor(database: Database, onChange: AvailabilityListener) {
    this.#database = database;
    this.#onChange = onChange;
    this.#timer = setInterval(() => this.#probe(), PROBE_MS);
    this.#timer.unref();
  }

  /** A change failed: it is time to look. */
  suspect(): void {
    this.#suspected = true;
    this.#probe();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#probing;
  }

  #probe(): void {
    this.#probing ??= this.#ask().finally(() => {
      this.#probing = undefined;
    });
  }

  async #ask(): Promise<void> {
    const really = this.#suspected || this.error !== undefined;
    this.#suspected = false;
    try {
      await this.#database.write(async (transaction) => {
        // An empty transaction finds a lost connection or a lock; that a disk is full, only a row tells.
        if (really) await sql`update migrations set version = version where version = 1`.execute(transaction);
      });
      this.#found(undefined);
    } catch (error) {
      this.#found(error instanceof StoreUnavailable ? error : new StoreUnavailable(error));
    }
  }

  #found(error: StoreUnavailable | undefined): void {
    const changed = (error === undefined) !== (this.error === undefined);
    this.error = error;
    if (changed) this.#onChange(error === undefined, error);
  }
}
