import { type AudioFormat, bytesPerSample, MAX_PACKET_SAMPLES } from '../audio/format.ts';
import { alaw, expandFaithfully, type Law, mulaw } from '../audio/g711.ts';
import type { AudioRing } from '../audio/ring.ts';

/** Working space of all legs of a thread. */
const bytes = new Uint8Array(2 * MAX_PACKET_SAMPLES);
const asSamples = new Int16Array(bytes.buffer);

/** The reading end of a leg's outbound ring. Lengths are samples of the ring's rate. */
export class OutboundAudio {
  readonly format: AudioFormat;
  /** undefined where the ring holds 16-bit samples. */
  readonly law: Law | undefined;
  readonly #ring: AudioRing;
  readonly #sampleBytes: number;

  constructor(ring: AudioRing, format: AudioFormat) {
    this.#ring = ring;
    this.format = format;
    this.law = format.encoding === 'mulaw' ? mulaw : format.encoding === 'alaw' ? alaw : undefined;
    this.#sampleBytes = bytesPerSample(format);
  }

  /** Samples that wait. */
  get readable(): number {
    return this.#ring.readable / this.#sampleBytes;
  }

  /** Drops what the writer wants dropped. */
  applyFlush(): void {
    this.#ring.applyFlush();
  }

  /** Drops all that waits. */
  drop(): void {
    this.#ring.drop();
  }

  /** Takes up to `length` samples as they are. @returns how many */
  readBytes(into: Uint8Array, offset: number, length: number): number {
    return this.#ring.read(into, offset, length * this.#sampleBytes) / this.#sampleBytes;
  }

  /** Takes up to `length` samples, at most 20 ms. @returns how many */
  read(into: Int16Array, length: number): number {
    const count = this.readBytes(bytes, 0, length);
    if (this.law) expandFaithfully(this.law, bytes, 0, count, into);
    else into.set(asSamples.subarray(0, count));
    return count;
  }
}
