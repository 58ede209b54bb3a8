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
  /** How long a session of an earlier run waits for its callers after a start. */
  rejoinSeconds: number;
  /** Whether the session has a bridge on this node. */
  isLive: (id: SessionId) => boolean;
  /** Sessions whose legs have all been silent for too long. */
  silent: () => SessionId[];
}

const SWEEP_MS = 15_000;

/** Ends the sessions that nobody else will end (decisions §4). @returns what stops it */
export function startCaretaker(options: CaretakerOptions): () => void {
  const { sessions, clock, log, unusedMinutes, rejoinSeconds, isLive, silent } = options;
  const end = (ids: Iterable<SessionId>, reason: string) => {
    const at = clock.now();
    return Promise.all([...ids].map((id) => sessions.apply(id, { type: 'ended', at, reason })));
  };
  const guarded = (sweep: () => Promise<unknown>) => () => {
    sweep().catch((error: unknown) => log.error({ err: error }, 'sessions could not be swept'));
  };
  const sweep = guarded(async () => {
    const unused = await sessions.unusedSince(clock.now() - unusedMinutes * 60_000);
    await end(
      unused.filter((id) => !isLive(id)),
      'unused',
    );
    await end(silent(), 'silent');
  });
  const orphans = guarded(async () => {
    const active = await sessions.active();
    await end(
      active.filter((id) => !isLive(id)),
      'completed',
    );
  });
  const timers = [setInterval(sweep, SWEEP_MS), setTimeout(orphans, rejoinSeconds * 1000)];
  for (const timer of timers) timer.unref();
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
