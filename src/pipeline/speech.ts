import { bytesPerMs } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { Clock } from '../clock.ts';
import type { Dialect, SpeechChunk } from './dialect.ts';

/**
 * What one party says, cut into numbered chunks for the pipeline and kept until the pipeline is known to have them, so
 * that what is lost with a connection can be sent again on the next. Numbers count from 1 over the whole life of the
 * link: a party who calls again does not repeat them. The buffer grows as an outage needs it, up to a bound; beyond that
 * the oldest goes and is counted. Afterwards it is as small as before: what calls of hours have had in the way of short
 * stalls would add up. No timer: audio in, chunks out. Source: decisions §6.
 */

/** How long an outage may last before speech is lost. */
export const OUTAGE_MS = 5000;
/** Speech before the outage that is not confirmed yet: a ping interval and a round trip. */
const UNCONFIRMED_MS = 2000;
/** Room at first, and again when an outage is over: enough for as long as nothing fails. */
const ROOM_MS = 1600;
/** Chunks are stamped without gaps; so far may the wall clock go before they follow it. */
const MAX_SKEW_MS = 200;

/** ms of speech, shared by all that count for one link. */
export interface SpeechCounters {
  /** Dropped at the bound while there was a connection: the pipeline reads too slowly. */
  inputDroppedMs: number;
  /** Sent again. */
  resentMs: number;
  /** Dropped at the bound while there was none, or with a connection that took it along. */
  lostMs: number;
}

export class Speech {
  readonly #chunkMs: number;
  readonly #bytesPerMs: number;
  readonly #chunkBytes: number;
  /** Chunks. */
  readonly #usualRoom: number;
  readonly #replay: Dialect['replay'];
  readonly #clock: Clock;
  readonly #counters: SpeechCounters;
  #room = 0;
  #audio = Buffer.alloc(0);
  #timestamps: number[] = [];
  /** Numbers: the oldest chunk that is kept, the next to be sent, the newest, and the newest that ever was sent. */
  #first = 1;
  #next = 1;
  #last = 0;
  #sent = 0;
  #connected = false;
  /** The newest chunk before the ping that is on its way. */
  #asked = 0;
  /** Chunks that were sent and had to go before they were confirmed: how many, and the newest of them. */
  #unconfirmed = { chunks: 0, to: 0 };
  #nextTimestamp: number | undefined;

  constructor(
    { chunkMs, input, replay }: Pick<Dialect, 'chunkMs' | 'input' | 'replay'>,
    clock: Clock,
    counters: SpeechCounters,
  ) {
    this.#chunkMs = chunkMs;
    this.#bytesPerMs = bytesPerMs(input);
    this.#clock = clock;
    this.#chunkBytes = chunkMs * this.#bytesPerMs;
    this.#usualRoom = Math.ceil(ROOM_MS / chunkMs);
    this.#replay = replay;
    this.#counters = counters;
  }

  /**
   * Takes the whole chunks that a leg's ring holds; those that need not wait are on their way, and count as such.
   * @returns ms of audio that the ring needs until it holds the next chunk
   */
  take(ring: AudioRing): number {
    const sentAtOnce = this.#connected && !this.hasUnsent;
    for (;;) {
      const { waiting } = ring;
      if (waiting < this.#chunkBytes) return this.#chunkMs - waiting / this.#bytesPerMs;
      if (this.#last - this.#first + 1 === this.#room) this.#makeRoom();
      this.#last++;
      const at = this.#last % this.#room;
      this.#timestamps[at] = this.#stamp(this.#clock.now() - waiting / this.#bytesPerMs);
      ring.read(this.#audio, at * this.#chunkBytes, this.#chunkBytes);
      if (sentAtOnce) ring.latency.count(ring.taken, this.#clock.monotonic());
    }
  }

  /** Forgets what the ring holds: on hold nothing is sent. */
  skip(ring: AudioRing): void {
    ring.drop();
    this.#nextTimestamp = undefined;
  }

  /** The newest chunk that was taken. */
  get newest(): number {
    return this.#last;
  }

  /** Bytes of audio that there is room for. */
  get roomBytes(): number {
    return this.#audio.length;
  }

  get hasUnsent(): boolean {
    return this.#next <= this.#last;
  }

  /** The next chunk to be sent, which counts as sent from now on. */
  next(): SpeechChunk | undefined {
    if (this.#next > this.#last) return undefined;
    const sequence = this.#next++;
    if (sequence <= this.#sent) this.#counters.resentMs += this.#chunkMs;
    else this.#sent = sequence;
    const at = sequence % this.#room;
    const from = at * this.#chunkBytes;
    const audio = this.#audio.subarray(from, from + this.#chunkBytes);
    return { sequence, timestampMs: this.#timestamps[at] as number, audio };
  }

  /** A ping leaves: its answer will confirm what was sent up to now. */
  ask(): void {
    this.#asked = this.#next - 1;
  }

  /** The ping was answered. */
  confirm(): void {
    this.#first = Math.max(this.#first, this.#asked + 1);
    if (this.#unconfirmed.to <= this.#asked) this.#unconfirmed.chunks = 0;
    const kept = this.#last - this.#first + 1;
    if (this.#room > this.#usualRoom && kept <= this.#usualRoom / 4) this.#resize(this.#usualRoom);
  }

  /** There is a connection. @returns ms of speech that is sent again on it */
  connected(): number {
    this.#connected = true;
    return Math.max(0, this.#sent - this.#next + 1) * this.#chunkMs;
  }

  /** The connection is gone, and with it what it had not confirmed; where the dialect has numbers it is sent again. */
  disconnected(): void {
    this.#connected = false;
    this.#asked = 0;
    let gone = this.#unconfirmed.chunks;
    this.#unconfirmed = { chunks: 0, to: 0 };
    if (this.#replay === 'sequence') {
      this.#next = this.#first;
    } else {
      gone += this.#next - this.#first;
      this.#first = this.#next;
    }
    this.#counters.lostMs += gone * this.#chunkMs;
  }

  #makeRoom(): void {
    const most = Math.ceil((OUTAGE_MS + UNCONFIRMED_MS) / this.#chunkMs);
    if (this.#room < most) this.#resize(Math.min(this.#room * 2 || this.#usualRoom, most));
    else this.#dropOldest();
  }

  /** @param room chunks; those that are kept have to find room */
  #resize(room: number): void {
    const audio = Buffer.alloc(room * this.#chunkBytes);
    const timestamps = new Array<number>(room).fill(0);
    for (let sequence = this.#first; sequence <= this.#last; sequence++) {
      const from = (sequence % this.#room) * this.#chunkBytes;
      this.#audio.copy(audio, (sequence % room) * this.#chunkBytes, from, from + this.#chunkBytes);
      timestamps[sequence % room] = this.#timestamps[sequence % this.#room] as number;
    }
    this.#room = room;
    this.#audio = audio;
    this.#timestamps = timestamps;
  }

  #dropOldest(): void {
    if (this.#next > this.#first) {
      this.#unconfirmed = { chunks: this.#unconfirmed.chunks + 1, to: this.#first };
    } else {
      this.#next++;
      if (this.#connected) this.#counters.inputDroppedMs += this.#chunkMs;
      else this.#counters.lostMs += this.#chunkMs;
    }
    this.#first++;
  }

  #stamp(heardAt: number): number {
    const expected = this.#nextTimestamp;
    const follows = expected !== undefined && Math.abs(heardAt - expected) <= MAX_SKEW_MS;
    const timestamp = follows ? expected : Math.round(heardAt);
    this.#nextTimestamp = timestamp + this.#chunkMs;
    return timestamp;
  }
}
