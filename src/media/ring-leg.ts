import { alaw, mulaw } from '../audio/g711.ts';
import { AudioRing } from '../audio/ring.ts';
import type { HearingOf } from './hearing.ts';
import { MediaTimeout } from './media-timeout.ts';
import { SLOT_MS } from './pacer.ts';
import { Playback } from './playback.ts';
import { SaidStream } from './said-stream.ts';
import { counter, StatsBlock } from './stats-block.ts';
import type { Voice } from './voice.ts';
import type { FromWorker, RingLegSetup } from './worker-protocol.ts';

/**
 * One leg in a media worker whose audio comes and goes through rings, because a stream carries it on the main thread: what
 * comes is looked at in every slot, what it hears is made every 20 ms. It hears and is heard as a leg that speaks RTP.
 */

const PIECE_MS = 20;
const SLOTS_PER_PIECE = PIECE_MS / SLOT_MS;
const PIECE_BYTES = PIECE_MS * 8;
/** Of a pause so many pieces are sent; the rest is silence by itself. */
const PAUSE_PIECES = 5;

/** Working space of all legs of a thread. */
const piece = new Uint8Array(PIECE_BYTES);

export class RingLeg {
  readonly kind = 'ring';
  readonly id: number;
  readonly #emit: (message: FromWorker) => void;
  readonly #stats: StatsBlock;
  readonly #outbound: AudioRing;
  readonly #heard: AudioRing;
  readonly #quiet: Uint8Array;
  readonly #said: SaidStream;
  readonly #playback: Playback;
  readonly #timeout: MediaTimeout;
  /** Which of the slots of 20 ms are its own; legs are spread over them. */
  readonly #phase: number;
  #started = false;
  #held = false;
  #failed = false;
  #hasSent = false;
  #silentPieces = PAUSE_PIECES;
  #lastAudioAt = -1;
  #polledAt = -1;

  constructor(setup: RingLegSetup, emit: (message: FromWorker) => void, now: number) {
    this.id = setup.leg;
    this.#emit = emit;
    this.#phase = setup.leg % SLOTS_PER_PIECE;
    this.#stats = new StatsBlock(setup.stats);
    this.#outbound = new AudioRing(setup.outbound);
    this.#heard = new AudioRing(setup.heard);
    this.#quiet = (setup.codec === 'PCMU' ? mulaw : alaw).quiet;
    const said = new AudioRing(setup.said);
    const inbound = new AudioRing(setup.inbound);
    this.#said = new SaidStream(said, setup.codec, inbound, setup.inboundFormat, this.#stats, now);
    this.#playback = new Playback(this.#outbound, setup.outboundFormat, this.#stats);
    this.#playback.configure(setup.codec, PIECE_MS);
    this.#timeout = new MediaTimeout(setup.timeoutSeconds * 1000);
  }

  /** Slots between two looks at it. */
  get period(): number {
    return 1;
  }

  /** What it says, for others to hear. */
  get voice(): Voice {
    return this.#said.voice;
  }

  hear(hearing: HearingOf<Voice>): void {
    this.#playback.hear(hearing);
  }

  hold(held: boolean, now: number): void {
    this.#held = held;
    this.#said.hold(held, now);
    this.#timeout.restart(now, !held);
  }

  startSending(now: number): void {
    this.#started = true;
    this.#playback.skipOthers();
    this.#timeout.restart(now, !this.#held);
  }

  /** Called for each slot. @param now monotonic ms, the same for all slots of one catch-up */
  tick(slot: number, now: number): void {
    if (this.#failed) return;
    if (now !== this.#polledAt) this.#listen(now);
    if (slot % SLOTS_PER_PIECE !== this.#phase) return;
    this.#outbound.latency.countNoted(performance.now());
    if (!this.#started) return;
    if (this.#held) this.#playback.skip(slot);
    else this.#play(slot);
  }

  /** An error of ours costs this leg, and no other leg of the worker: it falls silent and says so, once. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#emit({ type: 'failed', leg: this.id, detail: String((error as Error)?.stack ?? error) });
  }

  /** @param done called when nothing of it is left */
  close(done: () => void): void {
    this.#said.close();
    this.#playback.close();
    done();
  }

  #listen(now: number): void {
    this.#polledAt = now;
    if (this.#said.poll(now)) {
      if (this.#lastAudioAt < 0) this.#emit({ type: 'first_packet', leg: this.id, at: Date.now() });
      this.#lastAudioAt = now;
      this.#timeout.alive(now);
    }
    if (this.#lastAudioAt >= 0) this.#stats.set(counter.silentForMs, now - this.#lastAudioAt);
    if (this.#timeout.expired(now)) this.#emit({ type: 'media_timeout', leg: this.id });
  }

  #play(slot: number): void {
    const playback = this.#playback;
    const length = playback.next(piece, 0, slot);
    if (playback.isSpeech && !this.#isQuiet(length)) this.#silentPieces = 0;
    else this.#silentPieces++;
    if (this.#silentPieces > PAUSE_PIECES) {
      this.#stats.add(counter.silencePacketsSent, 1);
    } else if (this.#heard.writable < length) {
      this.#stats.add(counter.packetsDroppedUnread, 1);
    } else {
      this.#heard.write(piece, 0, length);
      if (!this.#hasSent) this.#stats.set(counter.firstSentAt, Date.now());
      this.#hasSent = true;
      this.#stats.add(counter.packetsSent, 1);
      this.#stats.add(counter.bytesSent, length);
    }
  }

  #isQuiet(length: number): boolean {
    for (let i = 0; i < length; i++) if (!this.#quiet[piece[i] as number]) return false;
    return true;
  }
}
