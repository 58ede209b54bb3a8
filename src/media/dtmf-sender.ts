import { SLOT_MS } from './pacer.ts';

/**
 * When a leg sends which packet of a run of key presses (RFC 4733 §2.5.1), a pure core: a packet at each of the leg's
 * slots with the time of the press so far, its end three times, then a gap. Time is the pacer's, as for speech.
 */

/** Copies of the end (§2.5.1.4). */
const ENDS = 3;

/** The packet that is due: a press, no speech between two presses, or speech. */
type KeySlot = 'press' | 'gap' | 'speech';

export class DtmfSender {
  readonly #onDone: (count: number) => void;
  #digits = '';
  #index = 0;
  #durationMs = 0;
  #gapMs = 0;
  /** The slot of the press's first packet: its timestamp; -1 before it. */
  startSlot = -1;
  /** ms of the press so far, that of the present packet included, and in all. */
  lengthMs = 0;
  #totalMs = 0;
  #ends = 0;
  /** The present packet is the first of its press. */
  isFirst = false;

  /** @param onDone called with the number of keys that were pressed, once for every `start` */
  constructor(onDone: (count: number) => void) {
    this.#onDone = onDone;
  }

  /** The key that is down. */
  get digit(): string {
    return this.#digits[this.#index] as string;
  }

  get isEnd(): boolean {
    return this.#ends > 0;
  }

  /** Presses these keys, one after the other. @param gapMs between two; the copies of an end take two packets of it */
  start(digits: string, durationMs: number, gapMs: number): void {
    this.stop();
    this.#digits = digits;
    this.#durationMs = durationMs;
    this.#gapMs = gapMs;
  }

  /** Leaves out what has not been pressed yet, because nobody is there to hear it. */
  stop(): void {
    if (this.#digits === '') return;
    const pressed = this.#index + (this.startSlot >= 0 ? 1 : 0);
    this.#digits = '';
    this.#index = 0;
    this.startSlot = -1;
    this.#onDone(pressed);
  }

  /** Lets go of the key that is down: the stream that it was in is over. The next one waits for its gap. */
  release(): void {
    if (this.#digits === '' || this.startSlot < 0 || this.#ends === ENDS) return;
    this.#totalMs = this.lengthMs;
    this.#ends = ENDS;
  }

  /** @param slot the pacer's @param packetMs until the next one */
  next(slot: number, packetMs: number): KeySlot {
    if (this.#digits === '') return 'speech';
    if (this.#isGapOver(slot)) {
      if (this.#index + 1 === this.#digits.length) {
        this.stop();
        return 'speech';
      }
      this.#index++;
      this.startSlot = -1;
    }
    if (this.startSlot < 0) this.#press(slot, packetMs);
    else this.isFirst = false;
    if (this.#ends === ENDS) return 'gap';
    this.lengthMs = Math.min(this.#totalMs, (slot - this.startSlot) * SLOT_MS + packetMs);
    if (this.lengthMs === this.#totalMs) this.#ends++;
    return 'press';
  }

  #press(slot: number, packetMs: number): void {
    this.startSlot = slot;
    this.isFirst = true;
    this.#ends = 0;
    this.#totalMs = Math.ceil(this.#durationMs / packetMs) * packetMs;
  }

  #isGapOver(slot: number): boolean {
    if (this.startSlot < 0 || this.#ends < ENDS) return false;
    return (slot - this.startSlot) * SLOT_MS >= this.#totalMs + this.#gapMs;
  }
}
