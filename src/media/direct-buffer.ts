import { concealmentAt } from '../audio/concealment.ts';
import { MAX_PACKET_SAMPLES } from '../audio/format.ts';
import { QUIET_BELOW } from '../audio/g711.ts';
import { counter, type StatsBlock } from './stats-block.ts';

/**
 * Between one leg's voice, which comes by the clock of its peer and by the whims of its network, and another leg's packets,
 * which leave by ours; a pure core. Reading begins when there is a packet more than is read, so that a sample waits for 20
 * to 40 ms – longer where the voice comes in bursts, or less evenly –, and that is kept up by what is left after a read: when it becomes too little, a little silence is put in
 * before the next word, and when it has been too much for a while, a little is left out. Where that cannot wait for a
 * silence, as where nothing has come in time, speech is carried on from what was played, as after a loss, and goes over
 * into what is played next. Lengths and positions are samples. Nothing is allocated once it is made.
 */

/** With so small a part of the cushion left something is put in, until the cushion is there again. */
const LOW = 1 / 4;
/** With so much more left than the cushion, all the time, something is left out; to a little above it, lest it swings. */
const HIGH_MS = 15;
const LOWERED_MS = 5;
/** That is what all the time means, and how long a silence is waited for then. */
const WATCH_MS = 2000;
const PATIENCE_MS = 10_000;
/** With so much more left the next silence is left out at once: the peer has begun again after a pause of its packets. */
const URGENT_MS = 80;
/** No more than this more waits: the oldest goes. */
const MAX_MS = 140;
/** What was played goes over into something else within this. */
const JOINT_MS = 5;
/** Speech is carried on for so long. */
const CARRIED_MS = 60;
/** What waits, what is written at once, and the past that is put in again. */
const CAPACITY_MS = 512;
const BURSTS_CAPACITY_MS = 2048;

/** How what is written comes. */
export interface Arriving {
  readonly comesInBursts: boolean;
  /** ms that come at once, 0 where that is a packet; at most 1000. */
  readonly burstMs: number;
  /** ms that are left after the first read, from 20 to 300. */
  readonly cushionMs: number;
}

const steadily: Arriving = { comesInBursts: false, burstMs: 0, cushionMs: 20 };

const nothing = new Int16Array(0);
/** Working space of all legs of a thread. */
const made = new Int16Array(MAX_PACKET_SAMPLES);

export class DirectBuffer {
  readonly #rateHz: number;
  readonly #perMs: number;
  readonly #stats: StatsBlock;
  readonly #arriving: Arriving;
  readonly #samples: Int16Array;
  readonly #mask: number;
  /** The last that was played, wherever it came from. */
  readonly #played: Int16Array;
  #written = 0;
  #read = 0;
  /** Somebody reads; else what waits becomes stale, and is no loss. */
  #isHeard = false;
  #isReading = false;
  /** Samples that were not read while there was something to read: a burst has to wait for its cushion. */
  #waited = 0;
  /** What is read next does not follow what was played. */
  #isApart = true;
  /** Samples over which speech has been carried on. */
  #carried = Number.POSITIVE_INFINITY;
  /** The least that was left after a read, over so many samples. */
  #least = Number.POSITIVE_INFINITY;
  #watched = 0;
  /** When something was put in. */
  #writtenBefore = 0;

  constructor(rateHz: number, stats: StatsBlock, arriving = steadily) {
    this.#rateHz = rateHz;
    this.#perMs = rateHz / 1000;
    this.#stats = stats;
    this.#arriving = arriving;
    const capacityMs = arriving.comesInBursts ? BURSTS_CAPACITY_MS : CAPACITY_MS;
    this.#samples = new Int16Array(2 ** Math.ceil(Math.log2(capacityMs * this.#perMs)));
    this.#mask = this.#samples.length - 1;
    this.#played = new Int16Array(concealmentAt(rateHz).reach);
  }

  /** @param length at most 240 ms */
  write(samples: Int16Array, length: number): void {
    for (let i = 0; i < length; i++) this.#samples[(this.#written + i) & this.#mask] = samples[i] as number;
    this.#written += length;
    const { burstMs, cushionMs } = this.#arriving;
    const surplus = this.#waiting - (cushionMs + burstMs + MAX_MS) * this.#perMs;
    if (surplus <= 0) return;
    if (this.#isHeard) this.#drop(surplus);
    else this.#leaveOut(surplus);
  }

  /**
   * Writes the next `length` samples, at most 20 ms, to the beginning of `into`.
   * @returns false when there are none, and it is silence
   */
  read(into: Int16Array, length: number): boolean {
    this.#isHeard = true;
    if (this.#isReading) this.#steer(length);
    else this.#begin(length);
    const known = this.#isReading ? Math.min(length, this.#waiting) : 0;
    for (let i = 0; i < known; i++) into[i] = this.#samples[(this.#read + i) & this.#mask] as number;
    this.#read += known;
    if (this.#isApart && known > 0) this.#join(into, known);
    this.#remember(into, 0, known);
    if (known === length) return true;
    this.#isReading = false;
    this.#isApart = true;
    return this.#carryOn(into, known, length - known) || known > 0;
  }

  /** Nobody hears what waits; what comes from now on begins anew. */
  clear(): void {
    this.#isHeard = false;
    this.#read = this.#written;
    this.#isReading = false;
    this.#isApart = true;
    this.#waited = 0;
    this.#carried = Number.POSITIVE_INFINITY;
  }

  /** Position after the last sample that was written. */
  get written(): number {
    return this.#written;
  }

  /** Position after the last sample that was read. */
  get taken(): number {
    return this.#read;
  }

  get #waiting(): number {
    return this.#written - this.#read;
  }

  /** Begins when there is enough; a pause that has gathered before is left out. */
  #begin(length: number): void {
    const { burstMs, cushionMs } = this.#arriving;
    const enough = length + cushionMs * this.#perMs;
    if (this.#waiting < enough || this.#hasToWait(length)) return;
    this.#isReading = true;
    this.#waited = 0;
    this.#watch();
    this.#leaveOut(this.#quietAhead(Math.max(0, this.#waiting - enough - burstMs * this.#perMs)));
  }

  /** What comes at once is its own reserve until the next comes; that may be late by the cushion. */
  #hasToWait(length: number): boolean {
    const { burstMs, cushionMs } = this.#arriving;
    if (burstMs === 0) return false;
    this.#waited += length;
    return this.#waited < cushionMs * this.#perMs;
  }

  /** Keeps what is left after a read of `length` samples near the cushion. */
  #steer(length: number): void {
    const { burstMs, cushionMs } = this.#arriving;
    const left = this.#waiting - length;
    const cushion = cushionMs * this.#perMs;
    const above = left - cushion - burstMs * this.#perMs;
    this.#least = Math.min(this.#least, left);
    this.#watched += length;
    if (left < LOW * cushion) this.#putIn(cushion - left);
    else if (above > URGENT_MS * this.#perMs) this.#leaveOut(this.#quietAhead(above));
    else if (this.#watched >= WATCH_MS * this.#perMs) this.#lower(cushion);
  }

  /** There has been so much for a while. */
  #lower(cushion: number): void {
    if (this.#least < cushion + HIGH_MS * this.#perMs) {
      this.#watch();
      return;
    }
    const surplus = this.#least - cushion - LOWERED_MS * this.#perMs;
    if (this.#quietAhead(surplus) === surplus) this.#leaveOut(surplus);
    else if (this.#watched >= PATIENCE_MS * this.#perMs) this.#drop(surplus);
  }

  /** Plays the last `length` samples once more if they are silence; not again before something has come. */
  #putIn(length: number): void {
    const from = this.#read - length;
    if (this.#written === this.#writtenBefore || from < 0 || this.#quietRun(from, length) < length) return;
    this.#writtenBefore = this.#written;
    this.#read = from;
    this.#isApart = true;
    this.#watch();
  }

  #leaveOut(length: number): void {
    if (length === 0) return;
    this.#read += length;
    this.#isApart = true;
    this.#watch();
  }

  /** Leaves out what may be speech; its silence is no loss. */
  #drop(length: number): void {
    this.#stats.add(counter.directDroppedMs, (length - this.#quietAhead(length)) / this.#perMs);
    this.#leaveOut(length);
  }

  #watch(): void {
    this.#least = Number.POSITIVE_INFINITY;
    this.#watched = 0;
  }

  #quietAhead(most: number): number {
    return this.#quietRun(this.#read, most);
  }

  /** @returns how many samples from there on are silence, at most so many */
  #quietRun(from: number, most: number): number {
    for (let i = 0; i < most; i++) {
      if (Math.abs(this.#samples[(from + i) & this.#mask] as number) >= QUIET_BELOW) return i;
    }
    return most;
  }

  /** The beginning of what was read comes up out of what was played. */
  #join(into: Int16Array, known: number): void {
    const length = Math.min(known, JOINT_MS * this.#perMs);
    this.#continue(length);
    for (let i = 0; i < length; i++) {
      const before = made[i] as number;
      into[i] = Math.round(before + (((into[i] as number) - before) * (i + 1)) / (length + 1));
    }
    this.#isApart = false;
    this.#carried = 0;
  }

  /** @returns false when there is nothing any more that could be carried on */
  #carryOn(into: Int16Array, from: number, length: number): boolean {
    this.#continue(length);
    for (let i = 0; i < length; i++) into[from + i] = made[i] as number;
    if (this.#carried >= CARRIED_MS * this.#perMs) return false;
    this.#remember(into, from, length);
    this.#carried += length;
    return true;
  }

  /** Makes up what could have followed what was played. */
  #continue(length: number): void {
    if (this.#carried >= CARRIED_MS * this.#perMs) made.fill(0, 0, length);
    else concealmentAt(this.#rateHz).fill(this.#played, nothing, 0, made, length, this.#carried);
  }

  #remember(samples: Int16Array, from: number, length: number): void {
    const kept = this.#played.length - length;
    this.#played.copyWithin(0, length);
    for (let i = 0; i < length; i++) this.#played[kept + i] = samples[from + i] as number;
  }
}
