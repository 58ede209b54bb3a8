import { StoreUnavailable } from '../errors.ts';

/** Primary result codes (sqlite.org/rescode.html) after which the same query may succeed later. */
const BUSY = 5;
const passing: ReadonlySet<number> = new Set([
  BUSY,
  6, // SQLITE_LOCKED
  8, // SQLITE_READONLY, such as a file system that was remounted after an error
  10, // SQLITE_IOERR
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
]);

/** Extended codes carry the primary one in their lowest byte. */
const codeOf = (error: unknown): number => ((error as { errcode?: number } | null)?.errcode ?? 0) & 0xff;

/** What a failed query is thrown on as. */
export const asStoreError = (error: unknown): unknown =>
  passing.has(codeOf(error)) ? new StoreUnavailable(error) : error;

/** Another process holds the file (a backup, a shell), and nothing was changed. */
export const isBusy = (error: unknown): boolean =>
  error instanceof StoreUnavailable && codeOf(error.cause) === BUSY;
