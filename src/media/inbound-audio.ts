import type { ComfortNoise } from '../audio/comfort-noise.ts';
import { type AudioFormat, bytesPerSample, MAX_SAMPLES } from '../audio/format.ts';
import { alaw, compress, expand, type Law, mulaw } from '../audio/g711.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';
import { Voice } from './voice.ts';

/** A pause is written in pieces of this, ms. */
const PIECE_MS = 20;

/** Working space of all legs of a thread. */
const bytes = new Uint8Array(2 * MAX_SAMPLES);
const asSamples = new Int16Array(bytes.buffer);
const samples = new Int16Array(MAX_SAMPLES);

/**
 * The writing end of a leg's inbound ring: samples in, the ring's format out, and how far the stream has come; and what
 * the leg says directly to others.
 * Lengths and positions are samples of the ring's rate.
 */
export class InboundAudio {
  readonly format: AudioFormat;
  /** undefined where the ring holds 16-bit samples. */
  readonly law: Law | undefined;
  /** What is written as samples is said by it too; who writes bytes says them as well. */
  readonly voice: Voice;
  readonly #ring: AudioRing;
  readonly #stats: StatsBlock;
  readonly #sampleBytes: number;
  readonly #piece: number;
  /** When what is written now came, monotonic ms. */
  cameAt = 0;
  /** Samples of stream time so far, what the ring could not take included. */
  position = 0;

  constructor(
    ring: AudioRing,
    format: AudioFormat,
    stats: StatsBlock,
    voice = new Voice(format.sampleRateHz),
  ) {
    this.#ring = ring;
    this.#stats = stats;
    this.format = format;
    this.law = format.encoding === 'mulaw' ? mulaw : format.encoding === 'alaw' ? alaw : undefined;
    this.voice = voice;
    this.#sampleBytes = bytesPerSample(format);
    this.#piece = (PIECE_MS * format.sampleRateHz) / 1000;
  }

  /** Writes speech that is in the ring's format already. */
  writeBytes(speech: Uint8Array, offset: number, length: number): void {
    this.position += length / this.#sampleBytes;
    if (this.#write(speech, offset, length) < length) this.#stats.add(counter.packetsDroppedOverrun, 1);
  }

  /** @param length at most `MAX_SAMPLES` */
  write(speech: Int16Array, length: number): void {
    this.voice.write(speech, length);
    this.writeBytes(bytes, 0, this.#encode(speech, length));
  }

  /** Silence, or noise where there is one. It is no loss when the ring is full. */
  writePause(length: number, noise: ComfortNoise | undefined): void {
    this.position += length;
    for (let left = length; left > 0; left -= this.#piece) {
      const part = Math.min(left, this.#piece);
      if (noise) noise.fill(samples, part);
      else samples.fill(0, 0, part);
      this.voice.write(samples, part);
      this.#write(bytes, 0, this.#encode(samples, part));
    }
  }

  /** Reads back the last samples that were written; valid until the next call for any leg. */
  recent(count: number): Int16Array {
    const window = bytes.subarray(0, count * this.#sampleBytes);
    const known = this.#ring.recent(window) / this.#sampleBytes;
    if (!this.law) return asSamples.subarray(count - known, count);
    expand(this.law, bytes, count - known, known, samples);
    return samples.subarray(0, known);
  }

  #write(from: Uint8Array, offset: number, length: number): number {
    const ring = this.#ring;
    const taken = ring.write(from, offset, length);
    ring.latency.note(ring.written, this.cameAt);
    return taken;
  }

  #encode(speech: Int16Array, length: number): number {
    if (this.law) compress(this.law, speech, length, bytes, 0);
    else asSamples.set(speech.subarray(0, length));
    return length * this.#sampleBytes;
  }
}
