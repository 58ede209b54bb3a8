import type { DtmfMethod } from '../dtmf.ts';
import { ApiError } from '../errors.ts';

/**
 * Presses keys at the other end of a leg, one run of digits after the other: as RFC 4733 where the peer takes that, else
 * by SIP INFO. What waits for the answer, or for the end of a hold, waits here.
 */

/** Characters that may wait. */
const WAITING_MOST = 256;
/** What pauses between digits are written as, in ms. */
const PAUSES: Readonly<Record<string, number>> = { w: 500, ',': 2000 };

/** What is to be pressed, and how long each key is down and up. */
export interface DigitRun {
  /** `0` to `9`, `*`, `#`, `A` to `D`; `w` waits for half a second, `,` for two. */
  digits: string;
  durationMs: number;
  gapMs: number;
}

/** The two ways out; neither rejects. */
interface Keypad {
  /** @returns how many were pressed: fewer when the peer can be sent nothing any more */
  pressByRtp(run: DigitRun): Promise<number>;
  /** @returns whether the peer has taken it */
  pressByInfo(digit: string, durationMs: number): Promise<boolean>;
  onPressed(count: number, method: DtmfMethod): void;
  onNotPressed(count: number): void;
}

export class DigitPlayer {
  readonly #keypad: Keypad;
  #queue: DigitRun[] = [];
  #method: DtmfMethod = 'info';
  #isReady = false;
  #isPlaying = false;
  #isClosed = false;
  #count = 0;
  /** Ends the present wait. */
  #wake: () => void = () => undefined;

  constructor(keypad: Keypad) {
    this.#keypad = keypad;
  }

  /** Keys that were pressed so far. */
  get count(): number {
    return this.#count;
  }

  /** The way of the next ones. */
  get method(): DtmfMethod {
    return this.#method;
  }

  /** @param ready whether the peer hears us now */
  configure(method: DtmfMethod, ready: boolean): void {
    this.#method = method;
    this.#isReady = ready;
    if (ready) this.#wake();
  }

  /** @throws ApiError `dtmf_queue_full` */
  play(run: DigitRun): void {
    const waiting = this.#queue.reduce((sum, { digits }) => sum + digits.length, 0);
    if (waiting + run.digits.length > WAITING_MOST) throw new ApiError('dtmf_queue_full');
    if (this.#isClosed) return;
    const pieces = run.digits
      .toUpperCase()
      .replaceAll('W', 'w')
      .split(/([w,])/);
    for (const digits of pieces) if (digits !== '') this.#queue.push({ ...run, digits });
    if (!this.#isPlaying) void this.#run();
  }

  /** The leg is over. */
  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#wake();
  }

  async #run(): Promise<void> {
    this.#isPlaying = true;
    for (let run = this.#queue[0]; run !== undefined; run = this.#queue[0]) {
      const pauseMs = PAUSES[run.digits];
      if (!this.#isReady) await this.#until();
      else if (pauseMs === undefined) await this.#press(run);
      else {
        this.#queue.shift();
        await this.#until(pauseMs);
      }
    }
    this.#isPlaying = false;
  }

  async #press(run: DigitRun): Promise<void> {
    const method = this.#method;
    const count = method === 'rtp' ? await this.#keypad.pressByRtp(run) : await this.#pressByInfo(run);
    if (count > 0) this.#keypad.onPressed(count, method);
    this.#count += count;
    if (this.#isClosed) return;
    const left = run.digits.slice(count);
    const again = left !== '' && (!this.#isReady || this.#method !== method);
    // What is left waits for the end of a hold, or goes the other way.
    if (again) this.#queue[0] = { ...run, digits: left };
    else this.#queue.shift();
    if (left !== '' && !again) this.#keypad.onNotPressed(left.length);
  }

  async #pressByInfo({ digits, durationMs, gapMs }: DigitRun): Promise<number> {
    let count = 0;
    for (const digit of digits) {
      if (!this.#isReady || this.#isClosed) break;
      const over = this.#until(durationMs + gapMs);
      if (!(await this.#keypad.pressByInfo(digit, durationMs))) break;
      count++;
      await over;
    }
    return count;
  }

  /** Waits until it is woken, or for so long. */
  #until(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        if (timer !== undefined && !this.#isClosed) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
