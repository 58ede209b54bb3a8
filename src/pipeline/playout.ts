import type { AudioRing } from '../audio/ring.ts';

/**
 * What one party is still to hear: a bounded queue of mu-law audio (8 kHz, 1 byte per sample) in front of the leg's
 * outbound ring. The pipeline may send a sentence at once; the queue hands it on in real time, catches up by leaving
 * out silence, and drops the oldest when there is too much. Pure: no clock and no timer, the reader of the ring sets
 * the pace. Source: decisions §6.
 */
const BYTES_PER_MS = 8;
const BLOCK_BYTES = 4000;
const MAX_QUEUED_BYTES = 60_000 * BYTES_PER_MS;
/** While more than this waits, silence is trimmed. */
const LATE_BYTES = 1500 * BYTES_PER_MS;
/** The ring is filled up to this when less than half of it is left. */
const RING_TARGET_BYTES = 200 * BYTES_PER_MS;
const FRAME_BYTES = 20 * BYTES_PER_MS;
/** So much of every pause stays, so that trimmed speech does not run together. */
const PAUSE_BYTES = 100 * BYTES_PER_MS;
const MAX_MARKS = 100;
/** Mu-law is sent inverted: from here on, without the sign bit, a sample is below -48 dBFS. */
const QUIET_FROM = 0x70;
const none: readonly string[] = [];

/** ms of audio that bounds took, shared by all that count for one link. */
export interface PlayoutCounters {
  outputDroppedMs: number;
  trimmedMs: number;
}

interface Mark {
  name: string;
  /** Position in what was pushed. */
  readonly at: number;
  /** Position in what was written to the ring, once all before the mark has left the queue. */
  fedAt: number | undefined;
}

export class Playout {
  readonly #ring: AudioRing;
  readonly #counters: PlayoutCounters;
  /** Full blocks but for the last one; the oldest byte is at `#head` of the first. */
  readonly #blocks: Uint8Array[] = [];
  #head = 0;
  #tail = 0;
  #queued = 0;
  /** Bytes since the beginning: pushed into the queue, taken out of it, written to the ring. */
  #pushed = 0;
  #taken = 0;
  #fed = 0;
  #pause = 0;
  /** Playing began late: all spare silence is left out until the queue has run empty once. */
  #catchingUp = false;
  #marks: Mark[] = [];

  constructor(ring: AudioRing, counters: PlayoutCounters) {
    this.#ring = ring;
    this.#counters = counters;
  }

  /** ms of audio that waits, in the queue and in the ring. */
  get queuedMs(): number {
    return (this.#queued + this.#ring.readable) / BYTES_PER_MS;
  }

  /** Whether it has to be fed, or asked for marks, soon. */
  get isBusy(): boolean {
    return this.#queued > 0 || this.#catchingUp || this.#marks.length > 0;
  }

  /** Queues a copy of mu-law audio of any length; beyond 60 s the oldest goes. */
  push(audio: Uint8Array): void {
    const excess = this.#queued + audio.length - MAX_QUEUED_BYTES;
    const skipped = Math.max(0, audio.length - MAX_QUEUED_BYTES);
    if (excess > 0) {
      this.#counters.outputDroppedMs += excess / BYTES_PER_MS;
      this.#discard(excess - skipped);
    }
    let from = skipped;
    while (from < audio.length) from += this.#append(audio, from);
    this.#pushed += audio.length - skipped;
  }

  /** Playing begins only now: the silence that has queued up so far must not become a delay for good. */
  catchUp(): void {
    this.#catchingUp = true;
  }

  /** Moves audio into the ring when the ring runs low. */
  feed(): void {
    if (this.#queued === 0) {
      this.#catchingUp = false;
      return;
    }
    let room = RING_TARGET_BYTES - this.#ring.readable;
    if (room < RING_TARGET_BYTES / 2) return;
    while (room > 0 && this.#queued > 0) {
      const late = this.#catchingUp || this.#queued + RING_TARGET_BYTES - room > LATE_BYTES;
      const length = Math.min(this.#contiguous(), late ? FRAME_BYTES : room);
      if (late && this.#isSpare(length)) {
        this.#counters.trimmedMs += length / BYTES_PER_MS;
        this.#advance(length, false);
        continue;
      }
      const written = this.#ring.write(this.#blocks[0]!, this.#head, Math.min(length, room));
      if (written === 0) return;
      this.#advance(written, true);
      room -= written;
    }
  }

  /** Drops what has not been played, in the queue and in the ring. @returns the marks that will never be reached */
  clear(): string[] {
    this.#discard(this.#queued);
    this.#ring.requestFlush();
    const unplayed = this.#marks.map((mark) => mark.name);
    this.#marks = [];
    return unplayed;
  }

  /** Sets a mark behind all that is queued now. @returns false when there are too many already */
  mark(name: string): boolean {
    if (this.#marks.length >= MAX_MARKS) return false;
    this.#marks.push({ name, at: this.#pushed, fedAt: this.#queued === 0 ? this.#fed : undefined });
    return true;
  }

  /** The marks that the party has heard since the last call, in order. */
  takePlayedMarks(): readonly string[] {
    if (this.#marks.length === 0) return none;
    const played = this.#fed - this.#ring.readable;
    const open = this.#marks.findIndex((mark) => mark.fedAt === undefined || mark.fedAt > played);
    return this.#marks.splice(0, open < 0 ? this.#marks.length : open).map((mark) => mark.name);
  }

  /** Whether the next `length` bytes are silence that the pause before them can do without. */
  #isSpare(length: number): boolean {
    const block = this.#blocks[0]!;
    for (let i = this.#head; i < this.#head + length; i++) {
      if ((block[i]! & 0x7f) < QUIET_FROM) {
        this.#pause = 0;
        return false;
      }
    }
    this.#pause += length;
    return this.#pause > PAUSE_BYTES;
  }

  #append(audio: Uint8Array, from: number): number {
    if (this.#blocks.length === 0 || this.#tail === BLOCK_BYTES) {
      this.#blocks.push(new Uint8Array(BLOCK_BYTES));
      this.#tail = 0;
    }
    const length = Math.min(audio.length - from, BLOCK_BYTES - this.#tail);
    this.#blocks.at(-1)!.set(audio.subarray(from, from + length), this.#tail);
    this.#tail += length;
    this.#queued += length;
    return length;
  }

  /** Bytes that lie in one piece at the head of the queue. */
  #contiguous(): number {
    return (this.#blocks.length === 1 ? this.#tail : BLOCK_BYTES) - this.#head;
  }

  #discard(length: number): void {
    for (let left = length; left > 0; ) {
      const step = Math.min(left, this.#contiguous());
      this.#advance(step, false);
      left -= step;
    }
  }

  #advance(length: number, fed: boolean): void {
    this.#taken += length;
    this.#queued -= length;
    this.#head += length;
    if (fed) this.#fed += length;
    this.#releaseBlock();
    if (this.#marks.length === 0) return;
    for (const mark of this.#marks) {
      if (mark.fedAt !== undefined || mark.at > this.#taken) continue;
      mark.fedAt = fed ? this.#fed - (this.#taken - mark.at) : this.#fed;
    }
  }

  /** The last block is used again when it runs empty: a queue that keeps up allocates nothing. */
  #releaseBlock(): void {
    if (this.#queued === 0) {
      this.#head = 0;
      this.#tail = 0;
    } else if (this.#head === BLOCK_BYTES) {
      this.#blocks.shift();
      this.#head = 0;
    }
  }
}
