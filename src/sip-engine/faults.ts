import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';

/** ms between two reports: what meets a fault can come at any rate. */
const REPORT_EVERY_MS = 10_000;

/**
 * The last line of defence: an error that nobody foresaw costs the message, frame or timer that met it, not the thread
 * with all its calls. All are counted, and one every 10 s is reported with its stack.
 */
export class Faults {
  readonly #clock: EngineClock;
  readonly #stats: EngineStats;
  readonly #report: (stack: string) => void;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: EngineClock, stats: EngineStats, report: (stack: string) => void) {
    this.#clock = clock;
    this.#stats = stats;
    this.#report = report;
  }

  /** `action`, which then never throws. */
  guard<Arguments extends unknown[]>(action: (...args: Arguments) => void): (...args: Arguments) => void {
    return (...args) => {
      try {
        action(...args);
      } catch (error) {
        this.#note(error);
      }
    };
  }

  /** The clock, with guarded timers. */
  clock(): EngineClock {
    return {
      now: () => this.#clock.now(),
      monotonic: () => this.#clock.monotonic(),
      after: (ms, action) => this.#clock.after(ms, this.guard(action)),
    };
  }

  #note(error: unknown): void {
    this.#stats.faults += 1;
    const now = this.#clock.monotonic();
    if (now - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = now;
    this.#report((error instanceof Error ? (error.stack ?? error.message) : String(error)).slice(0, 2_000));
  }
}
