import { type FileHandle, open } from 'node:fs/promises';
import { StoreUnavailable } from '../errors.ts';

/**
 * The write-ahead log of a SQLite database, which a commit is in before it is in the database itself. With
 * `synchronous=NORMAL` a commit only writes to it; `sync` then brings it onto the disk in a thread of the pool, where a slow
 * disk delays the one who waits for this commit, and no call. SQLite syncs by itself before a checkpoint and when the log
 * begins anew, so that what `sync` has confirmed outlives a loss of power. Source: SQLite's "Write-Ahead Logging".
 */
export class WalFile {
  readonly #path: string;
  #file: Promise<FileHandle> | undefined;

  /** @param database path of the database; its log exists from the first commit on, as long as a connection does */
  constructor(database: string) {
    this.#path = `${database}-wal`;
  }

  /** Everything that was committed before the call is on the disk afterwards. @throws StoreUnavailable */
  async sync(): Promise<void> {
    try {
      this.#file ??= open(this.#path, 'r');
      await (await this.#file).datasync();
    } catch (error) {
      this.#file = undefined;
      throw new StoreUnavailable(error as Error);
    }
  }

  async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    this.#file = undefined;
    await file?.close();
  }
}
