import { randomInt } from 'node:crypto';
import type { RAck } from './rack.ts';
import { type EngineClock, T1, type Timer } from './timers.ts';

/** Provisional responses that may wait for the PRACK of another one. */
const MAX_WAITING = 8;

interface ReliableResponse {
  rseq: number;
  /** A 2xx must not overtake the SDP of a provisional response. */
  hasBody: boolean;
  send(): void;
}

/**
 * The reliable provisional responses to one INVITE (RFC 3262 §3). One at a time is on its way: sent again after T1, then
 * after twice the interval without a cap, over TCP too, until its PRACK comes; the next one leaves after that.
 */
export class ReliableResponses {
  readonly #clock: EngineClock;
  /** CSeq of the INVITE. */
  readonly #cseq: number;
  /** No PRACK came for 64*T1. */
  readonly #givenUp: () => void;
  readonly #waiting: ReliableResponse[] = [];
  #lastRSeq = randomInt(0, 2 ** 31 - 1);
  #current: ReliableResponse | undefined;
  #again: Timer | undefined;
  #deadline: Timer | undefined;
  /** A 2xx that waits for the PRACKs. */
  #held: (() => void) | undefined;

  constructor(clock: EngineClock, cseq: number, givenUp: () => void) {
    this.#clock = clock;
    this.#cseq = cseq;
    this.#givenUp = givenUp;
  }

  get isFull(): boolean {
    return this.#waiting.length >= MAX_WAITING;
  }

  /** The RSeq of one more response. */
  nextRSeq(): number {
    this.#lastRSeq += 1;
    return this.#lastRSeq;
  }

  /** Sends a response now, or when those before it are acknowledged. */
  add(response: ReliableResponse): void {
    if (this.#current === undefined) this.#begin(response);
    else this.#waiting.push(response);
  }

  /** @returns false when the PRACK is for no response that waits for one */
  acknowledge({ rseq, of }: RAck): boolean {
    if (rseq !== this.#current?.rseq || of.number !== this.#cseq || of.method !== 'INVITE') return false;
    this.stop();
    this.#current = undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next);
    else this.#release();
    return true;
  }

  /**
   * A 2xx is to be sent: at once, but not before the PRACKs where one of the responses has a body. A response that has
   * left may still be acknowledged; none is sent any more.
   */
  succeed(send: () => void): void {
    const open = this.#current === undefined ? [] : [this.#current, ...this.#waiting];
    this.#held = send;
    if (open.some(({ hasBody }) => hasBody)) return;
    this.#waiting.length = 0;
    this.stop();
    this.#release();
  }

  /** The INVITE has failed, or the dialog has ended. */
  stop(): void {
    this.#again?.cancel();
    this.#deadline?.cancel();
  }

  #begin(response: ReliableResponse): void {
    this.#current = response;
    this.#deadline = this.#clock.after(64 * T1, () => {
      this.stop();
      this.#givenUp();
    });
    this.#resendAfter(T1, response);
    response.send();
  }

  #resendAfter(ms: number, response: ReliableResponse): void {
    this.#again = this.#clock.after(ms, () => {
      response.send();
      this.#resendAfter(ms * 2, response);
    });
  }

  #release(): void {
    const send = this.#held;
    this.#held = undefined;
    send?.();
  }
}
