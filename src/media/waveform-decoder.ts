import { concealmentAt } from '../audio/concealment.ts';
import type { SampleRate } from '../audio/format.ts';
import type { Decoder } from './codec.ts';
import { MAX_SAMPLES } from './inbound-audio.ts';

/** A codec that has no concealment of its own. */
export interface SampleDecoder {
  readonly rateHz: SampleRate;
  /** Writes the samples of a payload to the beginning of `into`. @returns how many */
  decode(payload: Uint8Array, offset: number, length: number, into: Int16Array): number;
}

/** Working space of all legs of a thread, as in the receiving chain. */
const taken = new Int16Array(MAX_SAMPLES);

/** Adds concealment to a codec: it remembers the last samples, and decodes the next packet before it fills a gap. */
export class WaveformDecoder implements Decoder {
  readonly rateHz: SampleRate;
  readonly #codec: SampleDecoder;
  readonly #history: Int16Array;
  #known = 0;
  #taken = 0;
  #madeUp = 0;

  constructor(codec: SampleDecoder) {
    this.#codec = codec;
    this.rateHz = codec.rateHz;
    this.#history = new Int16Array(concealmentAt(codec.rateHz).reach);
  }

  take(payload: Uint8Array, offset: number, length: number): number {
    this.#taken = this.#codec.decode(payload, offset, length, taken);
    return this.#taken;
  }

  decode(into: Int16Array): number {
    const samples = this.#taken;
    into.set(taken.subarray(0, samples));
    this.#remember(taken, samples);
    this.#taken = 0;
    this.#madeUp = 0;
    return samples;
  }

  conceal(into: Int16Array, samples: number): void {
    const before = this.#history.subarray(this.#history.length - this.#known);
    concealmentAt(this.rateHz).fill(before, taken, this.#taken, into, samples, this.#madeUp);
    this.#remember(into, samples);
    this.#madeUp += samples;
  }

  close(): void {
    this.#taken = 0;
  }

  #remember(samples: Int16Array, length: number): void {
    const history = this.#history;
    const kept = Math.min(length, history.length);
    history.copyWithin(0, kept);
    history.set(samples.subarray(length - kept, length), history.length - kept);
    this.#known = Math.min(history.length, this.#known + length);
  }
}
