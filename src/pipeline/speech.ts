import type { AudioRing } from '../audio/ring.ts';

/**
 * What one party says, cut into chunks for the pipeline: mu-law, 8 kHz, taken from the leg's inbound ring. Numbers
 * count from 1 over the whole life of the link, so that a party who calls again does not repeat them.
 * Pure: audio in the ring and the time in, chunks out. Source: decisions §6.
 */
const BYTES_PER_MS = 8;
/** Chunks are stamped without gaps; so far may the wall clock go before they follow it. */
const MAX_SKEW_MS = 200;

export interface SpeechChunk {
  /** From 1, per speaker; audio that was dropped leaves a gap. */
  readonly sequence: number;
  /** Wall clock of the first sample, ms. */
  readonly timestampMs: number;
  /** Valid until the next chunk is taken. */
  readonly audio: Buffer;
}

export class Speech {
  readonly #audio: Buffer;
  readonly #chunkMs: number;
  #sequence = 0;
  #nextTimestamp: number | undefined;

  constructor(chunkMs: number) {
    this.#chunkMs = chunkMs;
    this.#audio = Buffer.alloc(chunkMs * BYTES_PER_MS);
  }

  /** @param now wall clock, ms. @returns the next chunk, or undefined when the ring does not hold a whole one */
  take(ring: AudioRing, now: number): SpeechChunk | undefined {
    const waiting = ring.readable;
    if (waiting < this.#audio.length) return undefined;
    const timestampMs = this.#stamp(now - waiting / BYTES_PER_MS);
    ring.read(this.#audio);
    this.#sequence++;
    return { sequence: this.#sequence, timestampMs, audio: this.#audio };
  }

  /** ms of audio that the ring needs until it holds the next chunk; below 0 when it does already. */
  missingMs(ring: AudioRing): number {
    return this.#chunkMs - ring.readable / BYTES_PER_MS;
  }

  /** Reads and forgets what the ring holds: on hold nothing is sent. */
  skip(ring: AudioRing): void {
    while (ring.read(this.#audio) > 0);
    this.#nextTimestamp = undefined;
  }

  #stamp(heardAt: number): number {
    const expected = this.#nextTimestamp;
    const follows = expected !== undefined && Math.abs(heardAt - expected) <= MAX_SKEW_MS;
    const timestamp = follows ? expected : Math.round(heardAt);
    this.#nextTimestamp = timestamp + this.#chunkMs;
    return timestamp;
  }
}
