/** Key presses (DTMF): what the rooms agree on. Digits can be card numbers, so that they are in no log. */

/** By their code in RFC 4733 §3.2. */
export const dtmfDigits = '0123456789*#ABCD';

/** How a press goes out: as telephone-event in RTP, or as SIP INFO. */
export type DtmfMethod = 'rtp' | 'info';

/** One press of a key. */
export interface KeyPress {
  digit: string;
  durationMs: number;
  /** How it came; `stream`: in a message of the stream that carries the leg. */
  method: DtmfMethod | 'stream';
}

/** More than anybody, or any autodialer, presses: at once, and per second from then on. */
const AT_ONCE = 40;
const PER_SECOND = 20;

/** How many presses a party may still make. Each is a message, an event and a row; what is beyond is dropped. */
export class PressBudget {
  #left = AT_ONCE;
  #at = 0;

  /** @param now monotonic ms @returns whether there was one left */
  take(now: number): boolean {
    this.#left = Math.min(AT_ONCE, this.#left + ((now - this.#at) * PER_SECOND) / 1000);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
