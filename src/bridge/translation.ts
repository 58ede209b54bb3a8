import { PASSTHROUGH_AFTER_MS } from '../pipeline/pipeline-link.ts';
import type { Outage } from '../sessions/translation.ts';

export interface TranslationEvents {
  /** The pipeline has been missing for more than a second, whether or not a call is up. */
  onLate: () => void;
  /** It has, and a call is up. */
  onDegraded: (outage: Outage) => void;
  /** @param recovered the pipeline is back; else there is nothing left to be translated */
  onOutageOver: (outage: Outage, at: number, recovered: boolean) => void;
}

/** Whether the speech of a session is translated: its pipeline is there, or has been missing for a second at most. */
export class Translation {
  readonly #now: () => number;
  readonly #events: TranslationEvents;
  /** While the pipeline is missing. */
  #missing: Outage | undefined;
  #explained = false;
  #timer: NodeJS.Timeout | undefined;
  #isLate = false;
  #callUpSince: number | undefined;
  #outage: Outage | undefined;

  constructor(now: () => number, events: TranslationEvents) {
    this.#now = now;
    this.#events = events;
  }

  /** What there is to tell of; it stays while nobody is there for a moment. */
  get outage(): Outage | undefined {
    return this.#outage;
  }

  /** Whether any leg is up now. */
  callUp(isUp: boolean): void {
    this.#callUpSince = isUp ? (this.#callUpSince ?? this.#now()) : undefined;
    this.#check();
  }

  missing(reason: Outage['reason'], detail: string): void {
    if (this.#missing !== undefined) return;
    this.#missing = { since: this.#now(), reason, detail };
    this.#explained = false;
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      this.#events.onLate();
      this.#check();
    }, PASSTHROUGH_AFTER_MS);
  }

  /** Why it is missing, in plain words; what was known first stays. */
  explain(why: string): void {
    if (this.#missing === undefined || this.#explained) return;
    this.#explained = true;
    this.#missing.detail += `: ${why}`;
  }

  /** The pipeline is there. */
  back(): void {
    this.#end(true);
  }

  /** There is no pipeline that could be missed. */
  over(): void {
    this.#end(false);
  }

  #check(): void {
    if (!this.#isLate || this.#missing === undefined) return;
    if (this.#callUpSince === undefined || this.#outage !== undefined) return;
    this.#outage = { ...this.#missing, since: Math.max(this.#missing.since, this.#callUpSince) };
    this.#events.onDegraded(this.#outage);
  }

  #end(recovered: boolean): void {
    clearTimeout(this.#timer);
    const outage = this.#outage;
    this.#missing = undefined;
    this.#isLate = false;
    this.#outage = undefined;
    if (outage) this.#events.onOutageOver(outage, this.#now(), recovered);
  }
}
