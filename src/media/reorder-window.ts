/**
 * Puts RTP packets back into order, as a pure core: what is in order goes through at once; after a gap in the sequence
 * up to three packets are held for up to 60 ms, until the missing one comes or is given up. Nothing is allocated.
 */
const WINDOW_PACKETS = 3;
const WINDOW_MS = 60;
/** The longest payload taken: 60 ms of G.711. */
export const MAX_PAYLOAD_BYTES = 480;

/** RFC 3550 A.1: a jump beyond these is a restart of the sender, believed when a second packet follows it. */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;
/** Sequence numbers remembered, to tell a duplicate from a late packet; a power of two above MAX_MISORDER. */
const MEMORY = 128;

/** `stray`: far from the rest, perhaps the first of a sender that starts again; it is left out. */
export type Arrival = 'taken' | 'duplicate' | 'late' | 'stray' | 'restarted';

/** Takes packets in order. `bytes` is valid during the call only. */
export type Deliver = (
  timestamp: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  isSpeech: boolean,
) => void;

interface Held {
  used: boolean;
  sequence: number;
  timestamp: number;
  length: number;
  isSpeech: boolean;
  arrivedAt: number;
  readonly bytes: Uint8Array;
}

const difference = (a: number, b: number): number => ((a - b) << 16) >> 16;

export class ReorderWindow {
  readonly #deliver: Deliver;
  readonly #held: Held[];
  readonly #seen = new Int32Array(MEMORY).fill(-1);
  #count = 0;
  #expected = -1;
  #restartAt = -1;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
    this.#held = Array.from({ length: WINDOW_PACKETS }, () => ({
      used: false,
      sequence: 0,
      timestamp: 0,
      length: 0,
      isSpeech: false,
      arrivedAt: 0,
      bytes: new Uint8Array(MAX_PAYLOAD_BYTES),
    }));
  }

  /** Lets go of what is held and takes the next packet, whatever its number, as the first. */
  restart(): void {
    while (this.#count > 0) this.#giveUp();
    this.#expected = -1;
    this.#restartAt = -1;
    this.#seen.fill(-1);
  }

  /**
   * @param length bytes of payload at `offset`, at most `MAX_PAYLOAD_BYTES`
   * @param now monotonic ms
   */
  push(
    sequence: number,
    timestamp: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    isSpeech: boolean,
    now: number,
  ): Arrival {
    let arrival: Arrival = 'taken';
    if (this.#expected < 0) this.#expected = sequence;
    const ahead = difference(sequence, this.#expected);
    if (ahead >= MAX_DROPOUT || ahead < -MAX_MISORDER) {
      if (sequence !== this.#restartAt) {
        this.#restartAt = (sequence + 1) & 0xffff;
        return 'stray';
      }
      this.restart();
      this.#expected = sequence;
      arrival = 'restarted';
    } else if (this.#seen[sequence & (MEMORY - 1)] === sequence) {
      return 'duplicate';
    } else if (ahead < 0) {
      return 'late';
    }
    this.#restartAt = -1;
    this.#seen[sequence & (MEMORY - 1)] = sequence;
    while (sequence !== this.#expected && this.#count === WINDOW_PACKETS) this.#giveUp();
    if (sequence === this.#expected) {
      this.#pass(timestamp, bytes, offset, length, isSpeech);
    } else {
      this.#hold(sequence, timestamp, bytes, offset, length, isSpeech, now);
    }
    return arrival;
  }

  /** Gives up on what has been waited for long enough. */
  poll(now: number): void {
    while (this.#count > 0 && now - this.#oldest() >= WINDOW_MS) this.#giveUp();
  }

  #pass(timestamp: number, bytes: Uint8Array, offset: number, length: number, isSpeech: boolean): void {
    this.#expected = (this.#expected + 1) & 0xffff;
    this.#deliver(timestamp, bytes, offset, length, isSpeech);
    if (this.#count > 0) this.#release();
  }

  #hold(
    sequence: number,
    timestamp: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    isSpeech: boolean,
    now: number,
  ): void {
    const slot = this.#held.find((held) => !held.used) as Held;
    slot.used = true;
    slot.sequence = sequence;
    slot.timestamp = timestamp;
    slot.length = length;
    slot.isSpeech = isSpeech;
    slot.arrivedAt = now;
    slot.bytes.set(bytes.subarray(offset, offset + length));
    this.#count++;
  }

  /** Delivers the held packets that have become next in order. */
  #release(): void {
    for (const held of this.#held) {
      if (!held.used || held.sequence !== this.#expected) continue;
      held.used = false;
      this.#count--;
      this.#pass(held.timestamp, held.bytes, 0, held.length, held.isSpeech);
      return;
    }
  }

  /** The missing packets before the first held one will not come. */
  #giveUp(): void {
    let first = MAX_DROPOUT;
    for (const held of this.#held) {
      if (held.used) first = Math.min(first, difference(held.sequence, this.#expected));
    }
    this.#expected = (this.#expected + first) & 0xffff;
    this.#release();
  }

  #oldest(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const held of this.#held) if (held.used) oldest = Math.min(oldest, held.arrivedAt);
    return oldest;
  }
}
