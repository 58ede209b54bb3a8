import type { AudioFormat } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import { InboundAudio } from './inbound-audio.ts';
import type { StreamCodec } from './media-port.ts';
import { MessageArrivals } from './message-arrivals.ts';
import { createReceiveChain, type ReceiveChain } from './receive-chain.ts';
import { SpareSilence } from './spare-silence.ts';
import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';
import { CLOCK_STEP_MS, StreamClock } from './stream-clock.ts';
import { Voice } from './voice.ts';

/**
 * Turns the messages of a stream into audio that is continuous in time, in the inbound ring. A pure core: a ring of
 * messages and a clock in, audio out. A message is there at once, however long it is; a pause of the sender, who may send
 * nothing while nobody speaks, is filled by the clock. What comes after something was put in its place is kept, and silence
 * is left out later instead; of what is more than a second ahead of time speech goes, too.
 *
 * Lengths are samples of the ring's rate; times are monotonic ms.
 */

/** Both codecs have a byte per sample, at 8 kHz. */
const BYTES_PER_MS = 8;
const PIECE_MS = 20;
/** The stream may be behind the clock by this, or by what a message comes late at most, before the clock fills in. */
const MAX_BEHIND_MS = 200;
/** The clock carries speech on for so long; then it was the end. */
const MAX_CLOCK_SPEECH_MS = 60;
const MAX_AHEAD_MS = 1000;

/** Working space of all legs of a thread. */
const piece = new Uint8Array(PIECE_MS * BYTES_PER_MS);

export class SaidStream {
  readonly #said: AudioRing;
  readonly #stats: StatsBlock;
  readonly #inbound: InboundAudio;
  readonly #chain: ReceiveChain;
  readonly #clock: StreamClock;
  readonly #spare: SpareSilence;
  readonly #arrivals = new MessageArrivals();
  /** Samples of the inbound ring per ms. */
  readonly #perMs: number;
  #held = false;
  /** Samples that the clock has put in since the last message. */
  #invented = 0;

  /** @param now when its time begins */
  constructor(
    said: AudioRing,
    codec: StreamCodec,
    inbound: AudioRing,
    format: AudioFormat,
    stats: StatsBlock,
    now: number,
  ) {
    this.#said = said;
    this.#stats = stats;
    this.#inbound = new InboundAudio(inbound, format, stats, new Voice(format.sampleRateHz, true));
    this.#chain = createReceiveChain(codec, this.#inbound);
    this.#perMs = format.sampleRateHz / 1000;
    this.#clock = new StreamClock(this.#perMs);
    this.#spare = new SpareSilence(this.#perMs);
    this.#clock.start(now, 0);
  }

  /** What it says, for others to hear. */
  get voice(): Voice {
    return this.#inbound.voice;
  }

  /** On hold nothing is written, and time stands still until it is over. */
  hold(held: boolean, now: number): void {
    if (held === this.#held) return;
    this.#take(now);
    this.#held = held;
    this.#invented = 0;
    this.#clock.start(now, this.#inbound.position);
  }

  /** Takes what has come, and keeps time while nothing comes; call every few ms. @returns whether anything has come */
  poll(now: number): boolean {
    const came = this.#take(now);
    if (!this.#held) this.#keepTime(now);
    return came;
  }

  /** Idempotent. */
  close(): void {
    this.voice.end();
    this.#chain.close();
  }

  #take(now: number): boolean {
    const { latency } = this.#said;
    let came = false;
    while (latency.next()) {
      came = true;
      this.#message((latency.position - this.#said.taken) | 0, Math.min(now, latency.at));
    }
    return came;
  }

  #message(bytes: number, at: number): void {
    this.#stats.add(counter.packetsReceived, 1);
    this.#stats.add(counter.bytesReceived, bytes);
    this.#observe(at, bytes / BYTES_PER_MS);
    this.#inbound.cameAt = at;
    const length = (bytes / BYTES_PER_MS) * this.#perMs;
    if (!this.#held && this.#hasPaused) this.#endPause(at, length);
    let ahead = this.#clock.ahead(at, this.#inbound.position + length);
    for (let left = bytes; left > 0; left -= piece.length) {
      const taken = this.#said.read(piece, 0, Math.min(left, piece.length));
      if (!this.#held && !this.#write(taken, ahead)) ahead -= (taken / BYTES_PER_MS) * this.#perMs;
    }
    if (this.#held) return;
    this.#invented = 0;
    this.#clock.follow(at, this.#inbound.position, length);
  }

  /** @param ahead samples that the message is ahead of time @returns whether the piece was needed */
  #write(bytes: number, ahead: number): boolean {
    const chain = this.#chain;
    chain.take(piece, 0, bytes);
    this.#spare.observe(ahead);
    const isTooMuch = ahead > MAX_AHEAD_MS * this.#perMs;
    if (!isTooMuch && !this.#spare.holds(chain)) {
      chain.write();
      return true;
    }
    if (isTooMuch) this.#stats.add(counter.packetsDroppedOverrun, 1);
    chain.drop();
    return false;
  }

  #observe(at: number, lengthMs: number): void {
    const arrivals = this.#arrivals;
    arrivals.observe(at, lengthMs);
    this.voice.comes(arrivals.burstMs, arrivals.targetMs);
    this.#stats.set(counter.jitterMs, arrivals.jitterMs);
    this.#stats.set(counter.jitterTargetMs, arrivals.targetMs);
  }

  #keepTime(now: number): void {
    const { burstMs, targetMs } = this.#arrivals;
    const mayBeBehind = Math.max(MAX_BEHIND_MS, burstMs + targetMs) * this.#perMs;
    const missing = this.#clock.missing(now, this.#inbound.position, mayBeBehind);
    if (missing === 0) return;
    this.#inbound.cameAt = now;
    const step = CLOCK_STEP_MS * this.#perMs;
    for (let left = missing; left > 0; left -= step) this.#invent(step);
  }

  /** Speech is not carried on any more. */
  get #hasPaused(): boolean {
    return this.#invented >= MAX_CLOCK_SPEECH_MS * this.#perMs;
  }

  /** A pause has lasted until the message began; the clock has filled in no more than it was sure of. */
  #endPause(at: number, length: number): void {
    const missing = Math.floor(-this.#clock.ahead(at, this.#inbound.position + length));
    if (missing > 0) this.#chain.pause(missing, undefined);
  }

  /** Nothing has come for too long. */
  #invent(length: number): void {
    if (this.#hasPaused) {
      this.#chain.pause(length, undefined);
    } else {
      this.#chain.conceal(length);
      this.#stats.add(counter.concealedMs, length / this.#perMs);
    }
    this.#invented += length;
  }
}
