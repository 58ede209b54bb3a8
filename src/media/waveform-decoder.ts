import { concealmentAt } from '../audio/concealment.ts';
import type { SampleRate } from '../audio/format.ts';
import { MAX_SAMPLES } from '../audio/format.ts';
import type { Decoder } from './codec.ts';

/** A codec that has no concealment of its own. */
export interface SampleDecoder {
  readonly rateHz: SampleRate;
  readonly samplesPerOctet: number;
  /** Writes the samples of a payload to the beginning of `into`. @returns how many */
  decode(payload: Uint8Array, offset: number, length: number, into: Int16Array): number;
}

/** One that predicts what comes from what there was: after a loss it has to be told what that may have been. */
interface PredictingDecoder extends SampleDecoder {
  /** Samples that `follow` needs of what comes after a loss, and by which a loss hangs on in what is decoded then. */
  readonly filterDelay: number;
  follow(samples: Int16Array, length: number): void;
}

const nothing: Uint8Array = new Uint8Array(0);
/** Working space of all legs of a thread, as in the receiving chain. */
const taken = new Int16Array(MAX_SAMPLES);
const made = new Int16Array(MAX_SAMPLES);

/** Adds concealment to a codec: it remembers the last samples, and decodes the next packet before it fills a gap. */
export class WaveformDecoder implements Decoder {
  readonly rateHz: SampleRate;
  readonly #codec: SampleDecoder | PredictingDecoder;
  readonly #history: Int16Array;
  #known = 0;
  /** What was taken, and how many samples it has become; -1 until then. */
  #payload = nothing;
  #offset = 0;
  #length = 0;
  #taken = -1;
  #madeUp = 0;

  constructor(codec: SampleDecoder | PredictingDecoder) {
    this.#codec = codec;
    this.rateHz = codec.rateHz;
    this.#history = new Int16Array(concealmentAt(codec.rateHz).reach);
  }

  take(payload: Uint8Array, offset: number, length: number): number {
    this.#payload = payload;
    this.#offset = offset;
    this.#length = length;
    this.#taken = -1;
    return length * this.#codec.samplesPerOctet;
  }

  decode(into: Int16Array): number {
    this.#decodeTaken();
    const samples = this.#taken;
    into.set(taken.subarray(0, samples));
    this.#remember(taken, samples);
    this.#payload = nothing;
    this.#length = 0;
    this.#taken = -1;
    this.#madeUp = 0;
    return samples;
  }

  conceal(into: Int16Array, samples: number): void {
    const unsure = this.#follow(samples);
    this.#decodeTaken();
    this.#fill(samples + unsure, this.#taken, unsure);
    into.set(made.subarray(0, samples));
    for (let i = 0; i < unsure; i++) {
      const weight = (i + 0.5) / unsure;
      taken[i] = weight * (taken[i] as number) + (1 - weight) * (made[samples + i] as number);
    }
    this.#remember(into, samples);
    this.#madeUp += samples;
  }

  close(): void {
    this.#payload = nothing;
    this.#length = 0;
    this.#taken = -1;
  }

  #decodeTaken(): void {
    if (this.#taken >= 0) return;
    this.#taken = this.#codec.decode(this.#payload, this.#offset, this.#length, taken);
  }

  /**
   * Before the packet after a loss is decoded: what goes on from before the loss is taken for what was lost.
   * @returns samples at the packet's beginning that are no better than what is made up
   */
  #follow(samples: number): number {
    const codec = this.#codec;
    if (!('follow' in codec) || this.#taken >= 0) return 0;
    const { filterDelay } = codec;
    const { maxSamples } = concealmentAt(this.rateHz);
    if (this.#length * codec.samplesPerOctet <= filterDelay || samples + filterDelay > maxSamples) return 0;
    this.#fill(samples + filterDelay, 0, 0);
    codec.follow(made, samples);
    return filterDelay;
  }

  /** Makes up `samples`, before those of what was taken that are left from `skipped` on. */
  #fill(samples: number, available: number, skipped: number): void {
    const before = this.#history.subarray(this.#history.length - this.#known);
    const after = taken.subarray(skipped);
    concealmentAt(this.rateHz).fill(before, after, available - skipped, made, samples, this.#madeUp);
  }

  #remember(samples: Int16Array, length: number): void {
    const history = this.#history;
    const kept = Math.min(length, history.length);
    history.copyWithin(0, kept);
    history.set(samples.subarray(length - kept, length), history.length - kept);
    this.#known = Math.min(history.length, this.#known + length);
  }
}
