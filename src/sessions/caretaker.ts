import type { Clock } from '../clock.ts';
import type { SessionId } from '../ids.ts';
import type { Log } from '../telemetry/log.ts';
import type { IdempotencyKeys } from './idempotency-keys.ts';
import type { Sessions } from './sessions.ts';
import type { Transcripts } from './transcripts.ts';

export interface CaretakerOptions {
  sessions: Sessions;
  transcripts: Transcripts;
  idempotencyKeys: IdempotencyKeys;
  clock: Clock;
  log: Log;
  /** A session that is never called ends after this. */
  unusedMinutes: number;
  /** How long a session that an earlier run left behind waits for its callers. */
  rejoinSeconds: number;
  /** Transcripts are deleted so long after they were completed. */
  transcriptDays: number;
  /** The sessions that have a bridge on this node. */
  live: () => SessionId[];
  /** Sessions whose legs have all been silent for too long. */
  silent: () => SessionId[];
}

const SWEEP_MS = 15_000;
/** A session that no node has marked alive for so long has lost its process. */
const LEFT_BEHIND_MS = 3 * SWEEP_MS;
const DAY_MS = 24 * 3_600_000;
/** A wall clock that has gone wrong by so much between two sweeps was stepped. */
const STEP_MS = 5000;

/** Ends the sessions that nobody else will end (decisions §4), and forgets what is too old: answers to be repeated, transcripts. */
export class Caretaker {
  readonly #options: CaretakerOptions;
  /** When it began, and when the wall clock was stepped last; monotonic ms. */
  readonly #startedAt: number;
  #steppedAt = Number.NEGATIVE_INFINITY;
  /** When the store was last found lost, monotonic ms. */
  #lostAt = Number.NEGATIVE_INFINITY;
  /** How far the wall clock was ahead of the monotonic one at the last sweep. */
  #ahead: number;
  readonly #timer: NodeJS.Timeout;

  constructor(options: CaretakerOptions) {
    this.#options = options;
    const { clock } = options;
    this.#startedAt = clock.monotonic();
    this.#ahead = clock.now() - this.#startedAt;
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
    try {
      await this.#sweep();
    } catch (error) {
      this.#lostAt = this.#options.clock.monotonic();
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    const { sessions, idempotencyKeys, clock, rejoinSeconds, live, silent } = this.#options;
    const now = clock.now();
    const steadyFor = this.#steadyFor(now);
    await idempotencyKeys.sweep();
    await sessions.markAlive(live());
    await Promise.all(silent().map((id) => sessions.apply(id, { type: 'ended', at: now, reason: 'silent' })));
    // Until other nodes have marked theirs too: by the new time, or in the store that is back.
    if (Math.min(steadyFor, clock.monotonic() - this.#lostAt) < LEFT_BEHIND_MS) return;
    const aliveBefore = now - LEFT_BEHIND_MS;
    await this.#endUnused(now, aliveBefore, steadyFor);
    await this.#closeLegsLeftBehind(aliveBefore);
    await this.#sweepTranscripts(now, aliveBefore);
    if (clock.monotonic() - this.#startedAt < rejoinSeconds * 1000) return;
    // Another node's sessions are alive there, and marked so.
    const dead = (await sessions.active()).filter(({ lastAliveAt }) => lastAliveAt < aliveBefore);
    await this.#endLeftBehind(
      dead.map(({ id, lastAliveAt }) => ({ id, at: lastAliveAt })),
      'completed',
    );
  }

  /** ms for which the times that are written down have been comparable with `now`. */
  #steadyFor(now: number): number {
    const monotonic = this.#options.clock.monotonic();
    const ahead = now - monotonic;
    if (Math.abs(ahead - this.#ahead) > STEP_MS) {
      this.#options.log.warn({ by_ms: Math.round(ahead - this.#ahead) }, 'the wall clock was stepped');
      this.#steppedAt = monotonic;
    }
    this.#ahead = ahead;
    return monotonic - this.#steppedAt;
  }

  /** After a step a session lives for the whole time once more: how old it is cannot be told. */
  async #endUnused(now: number, aliveBefore: number, steadyFor: number): Promise<void> {
    const most = this.#options.unusedMinutes * 60_000;
    if (steadyFor < most) return;
    const unused = await this.#options.sessions.unusedSince(now - most, aliveBefore);
    const found = unused.map((id) => ({ id, at: now }));
    await this.#endLeftBehind(found, 'unused');
  }

  async #sweepTranscripts(now: number, aliveBefore: number): Promise<void> {
    const { transcripts, transcriptDays } = this.#options;
    await transcripts.completeLeftBehind(aliveBefore);
    await transcripts.deleteOld(now - transcriptDays * DAY_MS);
  }

  async #closeLegsLeftBehind(aliveBefore: number): Promise<void> {
    const { sessions } = this.#options;
    const live = new Set(this.#options.live());
    const found = (await sessions.withLegsLeftBehind(aliveBefore)).filter(({ id }) => !live.has(id));
    await Promise.all(found.map(({ id, lastAliveAt }) => sessions.closeLegsLeftBehind(id, lastAliveAt)));
  }

  async #endLeftBehind(found: { id: SessionId; at: number }[], reason: string): Promise<void> {
    const live = new Set(this.#options.live());
    const ending = found.filter(({ id }) => !live.has(id));
    await Promise.all(ending.map(({ id, at }) => this.#options.sessions.endLeftBehind(id, at, reason)));
  }
}
