import { emptyRtpHeader, type RtpHeader } from './rtp-header.ts';

/**
 * Puts RTP packets back into order, as a pure core: what is in order goes through at once; after a gap in the sequence
 * packets are held until the missing one comes or has been waited for long enough. In order nothing is allocated; room
 * for packets that wait is made as it is needed, and used again.
 */
const MAX_HELD = 24;
/** Room that is made for a packet: 60 ms of G.711, and more when one is longer. */
const ROOM_BYTES = 480;

/** RFC 3550 A.1: a jump beyond these is a restart of the sender, believed when a second packet follows it. */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;
/** Sequence numbers remembered, to tell a duplicate from a late packet; a power of two above MAX_MISORDER. */
const MEMORY = 128;

/** `stray`: far from the rest, perhaps the first of a sender that starts again; it is left out. */
export type Arrival = 'taken' | 'duplicate' | 'late' | 'stray' | 'restarted';

/** What a packet is: `event` is telephone-event, which takes the place of speech; `other` is not heard either. */
export type PacketKind = 'speech' | 'noise' | 'event' | 'other';

/**
 * Takes packets in order; both `header` and `bytes` are valid during the call only.
 * @param lost packets that are missing before it
 * @param arrivedAt monotonic ms
 */
export type Deliver = (
  header: RtpHeader,
  bytes: Uint8Array,
  kind: PacketKind,
  lost: number,
  arrivedAt: number,
) => void;

interface Held {
  used: boolean;
  readonly header: RtpHeader;
  kind: PacketKind;
  arrivedAt: number;
  bytes: Uint8Array;
}

const difference = (a: number, b: number): number => ((a - b) << 16) >> 16;

export class JitterBuffer {
  readonly #deliver: Deliver;
  readonly #held: Held[] = [];
  readonly #seen = new Int32Array(MEMORY).fill(-1);
  #count = 0;
  #expected = -1;
  #restartAt = -1;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  /** Lets go of what is held and takes the next packet, whatever its number, as the first. */
  restart(): void {
    while (this.#count > 0) this.#giveUp();
    this.#expected = -1;
    this.#restartAt = -1;
    this.#seen.fill(-1);
  }

  /** @param now monotonic ms */
  push(header: RtpHeader, bytes: Uint8Array, kind: PacketKind, now: number): Arrival {
    const { sequence } = header;
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
    while (sequence !== this.#expected && this.#count === MAX_HELD) this.#giveUp();
    if (sequence === this.#expected) this.#pass(header, bytes, kind, 0, now);
    else this.#hold(header, bytes, kind, now);
    return arrival;
  }

  /** Gives up on what has been waited for as long as `waitMs` since the first packet after it came. */
  poll(now: number, waitMs: number): void {
    while (this.#count > 0 && now - this.#oldest() >= waitMs) this.#giveUp();
  }

  #pass(header: RtpHeader, bytes: Uint8Array, kind: PacketKind, lost: number, arrivedAt: number): void {
    this.#expected = (this.#expected + 1) & 0xffff;
    this.#deliver(header, bytes, kind, lost, arrivedAt);
    if (this.#count > 0) this.#release(0);
  }

  #hold(header: RtpHeader, bytes: Uint8Array, kind: PacketKind, now: number): void {
    const slot = this.#held.find((held) => !held.used) ?? this.#newSlot();
    const { payloadOffset, payloadLength } = header;
    if (slot.bytes.length < payloadLength) slot.bytes = new Uint8Array(payloadLength);
    slot.bytes.set(bytes.subarray(payloadOffset, payloadOffset + payloadLength));
    Object.assign(slot.header, header, { payloadOffset: 0 });
    slot.kind = kind;
    slot.arrivedAt = now;
    slot.used = true;
    this.#count++;
  }

  #newSlot(): Held {
    const slot: Held = {
      used: false,
      header: emptyRtpHeader(),
      kind: 'other',
      arrivedAt: 0,
      bytes: new Uint8Array(ROOM_BYTES),
    };
    this.#held.push(slot);
    return slot;
  }

  /** Delivers the held packets that have become next in order. */
  #release(lost: number): void {
    for (const held of this.#held) {
      if (!held.used || held.header.sequence !== this.#expected) continue;
      held.used = false;
      this.#count--;
      this.#pass(held.header, held.bytes, held.kind, lost, held.arrivedAt);
      return;
    }
  }

  /** The missing packets before the first held one will not come. */
  #giveUp(): void {
    let first = MAX_DROPOUT;
    for (const held of this.#held) {
      if (held.used) first = Math.min(first, difference(held.header.sequence, this.#expected));
    }
    this.#expected = (this.#expected + first) & 0xffff;
    this.#release(first);
  }

  #oldest(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const held of this.#held) if (held.used) oldest = Math.min(oldest, held.arrivedAt);
    return oldest;
  }
}
