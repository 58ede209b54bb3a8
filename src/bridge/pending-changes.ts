import { StoreUnavailable } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import type { Log } from '../telemetry/log.ts';

/** Pauses between the attempts, ms; the last one again and again. */
const RETRY_AFTER_MS = [500, 1000, 2000, 5000];
/** What fails for another reason than a lost store is tried so many times. */
const ATTEMPTS = 4;
/** More sessions than this are not kept waiting for a lost store. */
const SESSIONS_MOST = 20_000;

/**
 * What calls tell the store while they run. A call waits for none of it: while the store is lost the changes wait here,
 * those of one session one after the other, in the order in which they came.
 */
export class PendingChanges {
  readonly #log: Log;
  /** By session, while any of its changes waits: the last of them, and how many there are. */
  readonly #queues = new Map<SessionId, { last: Promise<void>; waiting: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @returns resolves, never rejects, when the change is made or given up, which the log tells */
  keep(session: SessionId, what: string, change: () => Promise<unknown>): Promise<void> {
    const queue = this.#queues.get(session) ?? { last: Promise.resolve(), waiting: 0 };
    if (queue.waiting === 0 && this.#queues.size >= SESSIONS_MOST) {
      this.#log.error({ session, change: what }, 'a change was dropped: too many wait for the store');
      return Promise.resolve();
    }
    this.#queues.set(session, queue);
    queue.waiting += 1;
    queue.last = queue.last
      .then(() => this.#attempt(session, what, change))
      .finally(() => {
        queue.waiting -= 1;
        if (queue.waiting === 0) this.#queues.delete(session);
      });
    return queue.last;
  }

  /** Sessions of which changes are not made yet. */
  get sessions(): number {
    return this.#queues.size;
  }

  /** Changes of a session that are not made yet. */
  waiting(session: SessionId): number {
    return this.#queues.get(session)?.waiting ?? 0;
  }

  /** Resolves when the changes of a session that have come so far are made or given up. */
  written(session: SessionId): Promise<void> {
    return this.#queues.get(session)?.last ?? Promise.resolve();
  }

  async #attempt(session: SessionId, what: string, change: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await change();
        return;
      } catch (error) {
        const again = error instanceof StoreUnavailable || attempt < ATTEMPTS;
        if (attempt === 1 || !again)
          this.#log.error({ session, change: what, again, err: error }, 'a change could not be kept');
        if (!again) return;
        const index = Math.min(attempt, RETRY_AFTER_MS.length) - 1;
        await new Promise<void>((resolve) => setTimeout(resolve, RETRY_AFTER_MS[index]).unref());
      }
    }
  }
}
