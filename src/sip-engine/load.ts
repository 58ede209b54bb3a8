import type { EngineStats } from './stats.ts';

/** Why no new request is taken now. */
export type Overload = 'late' | 'memory';

/** ms of delay, smoothed, from which on new requests are refused; those of known sources later than others. */
const LATE_MS = 200;
export const VERY_LATE_MS = 800;
/** They are taken again when the delay has fallen to half of that. */
const PROMPT_MS = LATE_MS / 2;
/** ms of delay beyond `PROMPT_MS` that one percent less is asked for. */
const MS_PER_PERCENT = 4;
/** Share of the memory that there is. */
const SHORT = 0.9;
const ENOUGH = 0.85;
/** Weight of one sample in the smoothed delay: of 20 a second, so that a single stall refuses nobody. */
const WEIGHT = 0.1;
/** What a sample counts for at most: a process that was stopped for long is not late for long. */
const MOST_MS = 2_000;

/** How loaded the engine is, and what follows for new requests. Calls that are up are served whatever it says. */
export class Load {
  readonly #stats: EngineStats;
  #delayMs = 0;
  #late = false;
  #veryLate = false;
  #memoryShort = false;

  constructor(stats: EngineStats) {
    this.#stats = stats;
  }

  /** @param ms by which the event loop is late, or which a message of a known source has waited, whichever is more */
  delay(ms: number): void {
    this.#delayMs += (Math.min(ms, MOST_MS) - this.#delayMs) * WEIGHT;
    this.#late = this.#delayMs > (this.#late ? LATE_MS / 2 : LATE_MS);
    this.#veryLate = this.#delayMs > (this.#veryLate ? VERY_LATE_MS / 2 : VERY_LATE_MS);
    this.#stats.delayMs = Math.round(this.#delayMs);
    this.#stats.lossPercent = this.lossPercent;
  }

  /** @param share of the memory that is in use, 0 to 1 */
  memory(share: number): void {
    this.#memoryShort = share > (this.#memoryShort ? ENOUGH : SHORT);
    this.#stats.lossPercent = this.lossPercent;
  }

  /** Why a new request is not taken now. @param known whether its source is exempt, or has a call up */
  overload(known: boolean): Overload | undefined {
    if (this.#memoryShort) return 'memory';
    return (known ? this.#veryLate : this.#late) ? 'late' : undefined;
  }

  /** How much less peers should send (RFC 7339), in percent; it begins before anything is refused. */
  get lossPercent(): number {
    if (this.#memoryShort) return 100;
    return Math.min(100, Math.max(0, Math.round((this.#delayMs - PROMPT_MS) / MS_PER_PERCENT)));
  }
}
