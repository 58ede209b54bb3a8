import type { Clock } from '../clock.ts';
import type { SessionId } from '../ids.ts';
import type { Log } from '../telemetry/log.ts';
import type { Sessions } from './sessions.ts';

export interface CaretakerOptions {
  sessions: Sessions;
  clock: Clock;
  log: Log;
  /** A session that is never called ends after this. */
  unusedMinutes: number;
  /** How long a session that an earlier run left behind waits for its callers. */
  rejoinSeconds: number;
  /** The sessions that have a bridge on this node. */
  live: () => SessionId[];
  /** Sessions whose legs have all been silent for too long. */
  silent: () => SessionId[];
}

const SWEEP_MS = 15_000;

/** Ends the sessions that nobody else will end (decisions §4). */
export class Caretaker {
  readonly #options: CaretakerOptions;
  readonly #startedAt: number;
  readonly #timer: NodeJS.Timeout;

  constructor(options: CaretakerOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#timer = setInterval(() => {
      this.sweep().catch((error: unknown) =>
        options.log.error({ err: error }, 'sessions could not be swept'),
      );
    }, SWEEP_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async sweep(): Promise<void> {
    const { sessions, clock, unusedMinutes, rejoinSeconds, live, silent } = this.#options;
    const now = clock.now();
    await sessions.markAlive(live());
    const unused = await sessions.unusedSince(now - unusedMinutes * 60_000);
    await this.#end(
      unused.map((id) => ({ id, at: now })),
      'unused',
    );
    await this.#end(
      silent().map((id) => ({ id, at: now })),
      'silent',
      true,
    );
    if (now - this.#startedAt < rejoinSeconds * 1000) return;
    const active = await sessions.active();
    await this.#end(
      active.map(({ id, lastAliveAt }) => ({ id, at: lastAliveAt })),
      'completed',
    );
  }

  async #end(found: { id: SessionId; at: number }[], reason: string, evenLive = false): Promise<void> {
    const live = new Set(evenLive ? [] : this.#options.live());
    const ending = found.filter(({ id }) => !live.has(id));
    await Promise.all(
      ending.map(({ id, at }) => this.#options.sessions.apply(id, { type: 'ended', at, reason })),
    );
  }
}
