import type { ComfortNoise } from '../audio/comfort-noise.ts';
import { MAX_PACKET_SAMPLES, MAX_SAMPLES } from '../audio/format.ts';
import { isQuiet } from '../audio/g711.ts';
import { Resampler } from '../audio/resampler.ts';
import type { Decoder } from './codec.ts';
import type { InboundAudio } from './inbound-audio.ts';
import type { ReceiveChain } from './receive-chain.ts';

/** Working space of all legs of a thread: what was taken is written or dropped before the next packet of any leg. */
const decoded = new Int16Array(MAX_SAMPLES);
const made = new Int16Array(MAX_SAMPLES);

/** Decodes, resamples where the ring has another rate, and writes in the ring's format. */
export class DecodingReceiver implements ReceiveChain {
  readonly #decoder: Decoder;
  readonly #inbound: InboundAudio;
  readonly #resampler: Resampler | undefined;
  /** Samples of the decoder per sample of the ring. */
  readonly #ratio: number;
  /** Samples in `decoded`; -1 until what was taken has been decoded. */
  #samples = -1;

  constructor(decoder: Decoder, inbound: InboundAudio) {
    const { sampleRateHz } = inbound.format;
    this.#decoder = decoder;
    this.#inbound = inbound;
    this.#ratio = decoder.rateHz / sampleRateHz;
    if (this.#ratio !== 1) this.#resampler = new Resampler(decoder.rateHz, sampleRateHz);
  }

  take(payload: Uint8Array, offset: number, length: number): number {
    this.#samples = -1;
    return Math.round(this.#decoder.take(payload, offset, length) / this.#ratio);
  }

  isQuiet(): boolean {
    this.#decode();
    return isQuiet(decoded, this.#samples);
  }

  write(): void {
    this.#decode();
    this.#emit(decoded, this.#samples);
  }

  /** It is decoded all the same: the codec's state depends on it. */
  drop(): void {
    this.#decode();
  }

  conceal(length: number): void {
    const samples = Math.round(length * this.#ratio);
    this.#decoder.conceal(made, samples);
    this.#emit(made, samples);
  }

  pause(length: number, noise: ComfortNoise | undefined): void {
    if (this.#decoder.pause) {
      this.#pauseByCodec(length);
      return;
    }
    this.#resampler?.reset();
    this.#inbound.writePause(length, noise);
  }

  close(): void {
    this.#decoder.close();
  }

  /** In pieces that the decoder takes: a pause may be longer. */
  #pauseByCodec(length: number): void {
    const total = Math.round(length * this.#ratio);
    for (let at = 0; at < total; at += MAX_PACKET_SAMPLES) {
      const samples = Math.min(MAX_PACKET_SAMPLES, total - at);
      this.#decoder.pause?.(made, samples);
      this.#emit(made, samples);
    }
  }

  #decode(): void {
    if (this.#samples < 0) this.#samples = this.#decoder.decode(decoded);
  }

  #emit(samples: Int16Array, length: number): void {
    const resampler = this.#resampler;
    if (!resampler) {
      this.#inbound.write(samples, length);
      return;
    }
    const output = resampler.process(samples, length);
    this.#inbound.write(output, output.length);
  }
}
