import { type AudioFormat, MAX_PACKET_SAMPLES } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { CodecName } from '../config/codecs.ts';
import type { HearingOf } from './hearing.ts';
import { Mixer } from './mixer.ts';
import type { OpusSettings } from './opus-settings.ts';
import { OutboundAudio } from './outbound-audio.ts';
import { SLOT_MS } from './pacer.ts';
import { createSendChain, type SendChain } from './send-chain.ts';
import type { StatsBlock } from './stats-block.ts';
import type { Voice } from './voice.ts';

/** Enough audio to start with at once: a chunk of the pipeline (100 ms) and the cushion that waiting would give. */
const START_MS = 160;
/** Otherwise playing starts this long (60 ms) after the first byte: chunks may come late by as much. */
const START_SLOTS = 60 / SLOT_MS;
/** Working space of all legs of a thread. */
const mixed = new Int16Array(MAX_PACKET_SAMPLES);

/**
 * What a leg hears, as the payloads of its codec, one for each time that is due; of any kind of leg, for it knows no
 * packets. A pure core.
 */
export class Playback {
  readonly #outbound: OutboundAudio;
  readonly #mixer: Mixer;
  /** Samples of the ring per ms. */
  readonly #perMs: number;
  #chain: SendChain | undefined;
  /** What the chain was built for. */
  #wanted = '';
  #packetMs = 0;
  #playing = false;
  #isSpeech = false;
  /** The slot at which audio was first seen in the ring after it had been empty. */
  #firstByteSlot = -1;

  constructor(ring: AudioRing, format: AudioFormat, stats: StatsBlock) {
    this.#outbound = new OutboundAudio(ring, format);
    this.#mixer = new Mixer(this.#outbound, stats);
    this.#perMs = format.sampleRateHz / 1000;
  }

  /** Room that a payload needs. */
  get maxPayloadBytes(): number {
    return this.#chain?.maxPayloadBytes ?? 0;
  }

  /** There is something to be heard in the last payload. */
  get isSpeech(): boolean {
    return this.#isSpeech;
  }

  /** What is heard besides the outbound ring, and whether that is. */
  hear(hearing: HearingOf<Voice>): void {
    this.#mixer.hear(hearing);
  }

  /** @param packetMs ms of audio per payload @returns whether this is anything new */
  configure(codec: CodecName, packetMs: number, opus?: OpusSettings): boolean {
    const wanted = JSON.stringify([codec, packetMs, opus]);
    if (wanted === this.#wanted) return false;
    this.#wanted = wanted;
    this.#packetMs = packetMs;
    this.#chain?.close();
    this.#chain = createSendChain(codec, packetMs, this.#outbound, opus);
    return true;
  }

  /** Writes the payload of a slot of the pacer. @returns its bytes; 0 = nothing needs to be sent (DTX) */
  next(packet: Uint8Array, offset: number, slot: number): number {
    const chain = this.#chain as SendChain;
    const mixer = this.#mixer;
    const playing = this.#isPlaying(slot);
    if (mixer.isIdle) {
      const length = chain.next(packet, offset, playing);
      this.#isSpeech = this.#played(chain.played);
      return length;
    }
    this.#played(mixer.read(mixed, this.#packetMs * this.#perMs, playing));
    this.#isSpeech = !mixer.isSilent;
    return chain.encode(mixed, packet, offset);
  }

  /** Writes one of silence: what the pipeline says waits, what others say passes. @returns as `next` */
  nextOfGap(packet: Uint8Array, offset: number): number {
    this.#mixer.skip();
    this.#isSpeech = false;
    return (this.#chain as SendChain).next(packet, offset, false);
  }

  /** What others have said is not heard; what the pipeline says waits. */
  skipOthers(): void {
    this.#mixer.skip();
  }

  /** Nobody is to hear this slot (hold, `recvonly`): its audio passes unheard. */
  skip(slot: number): void {
    const chain = this.#chain as SendChain;
    this.#mixer.skip();
    if (!this.#isPlaying(slot)) return;
    chain.skip();
    this.#played(chain.played);
  }

  /** Frees what the codec holds, idempotent. */
  close(): void {
    this.#mixer.close();
    this.#chain?.close();
  }

  /** @returns whether there was something to play; a packet that the ring could not fill is the last for now */
  #played(played: number): boolean {
    if (played < this.#packetMs * this.#perMs) this.#playing = false;
    return played > 0;
  }

  #isPlaying(slot: number): boolean {
    this.#outbound.applyFlush();
    if (this.#mixer.isDeaf) {
      this.#outbound.drop();
      this.#playing = false;
      this.#firstByteSlot = -1;
      return false;
    }
    if (this.#playing) return true;
    const readable = this.#outbound.readable;
    if (readable === 0) {
      this.#firstByteSlot = -1;
      return false;
    }
    if (this.#firstByteSlot < 0) this.#firstByteSlot = slot;
    this.#playing = readable >= START_MS * this.#perMs || slot - this.#firstByteSlot >= START_SLOTS;
    if (this.#playing) this.#firstByteSlot = -1;
    return this.#playing;
  }
}
