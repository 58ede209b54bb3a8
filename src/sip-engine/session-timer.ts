import { LEAST_SESSION_SECONDS } from './session-expires.ts';
import type { EngineClock, Timer } from './timers.ts';

/** What was agreed for a session (RFC 4028). */
export interface SessionAgreement {
  /** The session interval. */
  seconds: number;
  /** Neither side wants it shorter. */
  minSeconds: number;
  /** The refreshes are ours to send. */
  weRefresh: boolean;
}

export interface SessionTimerEvents {
  /** A refresh of ours is due. */
  refresh(): void;
  /** The session was not refreshed in time, and has to end. */
  expired(): void;
}

/** The call is ended so long before its interval is over, or a third of it (RFC 4028 §10). */
const MARGIN_MS = 32_000;

/** The session timer of a dialog, from one refresh to the next (RFC 4028 §10). */
export class SessionTimer implements SessionAgreement {
  readonly seconds: number;
  readonly weRefresh: boolean;
  minSeconds: number;
  readonly #clock: EngineClock;
  readonly #events: SessionTimerEvents;
  readonly #expiry: Timer;
  #refresh: Timer | undefined;

  constructor(clock: EngineClock, agreed: SessionAgreement, events: SessionTimerEvents) {
    this.seconds = Math.max(agreed.seconds, LEAST_SESSION_SECONDS);
    this.minSeconds = agreed.minSeconds;
    this.weRefresh = agreed.weRefresh;
    this.#clock = clock;
    this.#events = events;
    const ms = this.seconds * 1000;
    this.#expiry = clock.after(Math.floor(ms - Math.min(MARGIN_MS, ms / 3)), () => {
      this.stop();
      events.expired();
    });
    if (this.weRefresh) this.refreshIn(ms / 2);
  }

  /** One more try, unless the time is up before. */
  refreshIn(ms: number): void {
    this.#refresh?.cancel();
    this.#refresh = this.#clock.after(ms, () => this.#events.refresh());
  }

  stop(): void {
    this.#expiry.cancel();
    this.#refresh?.cancel();
  }
}
