import { type EngineClock, T1, T2, type Timer } from './timers.ts';

/**
 * A 2xx to an INVITE until its ACK comes: sent again after T1, doubling to T2, and given up after 64*T1
 * (RFC 3261 §13.3.1.4). That holds over TCP too, since the ACK is end to end.
 */
export class UnackedAnswer {
  readonly #clock: EngineClock;
  readonly #send: () => void;
  readonly #deadline: Timer;
  #again: Timer;

  constructor(clock: EngineClock, send: () => void, givenUp: () => void) {
    this.#clock = clock;
    this.#send = send;
    this.#again = this.#resendAfter(T1);
    this.#deadline = clock.after(64 * T1, () => {
      this.stop();
      givenUp();
    });
  }

  /** The ACK has come, or the dialog has ended. */
  stop(): void {
    this.#again.cancel();
    this.#deadline.cancel();
  }

  #resendAfter(ms: number): Timer {
    return this.#clock.after(ms, () => {
      this.#send();
      this.#again = this.#resendAfter(Math.min(ms * 2, T2));
    });
  }
}
