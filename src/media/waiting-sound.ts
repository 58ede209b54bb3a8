import { Resampler } from '../audio/resampler.ts';
import { gainOf } from './gain-ramp.ts';
import type { Sound } from './sound.ts';

/** What a party hears while it is alone and the pipeline says nothing; `session.waiting`. */
export type WaitingSound =
  | { readonly kind: 'silence' }
  /** `onMs` of a tone, `offMs` of silence, and again; the level is of full scale (0 dB), and so below 0. */
  | {
      readonly kind: 'tone';
      readonly hz: number;
      readonly levelDb: number;
      readonly onMs: number;
      readonly offMs: number;
    }
  /** Int16 samples at 8 kHz, over and over; one block for all legs that hear it. */
  | { readonly kind: 'loop'; readonly samples: SharedArrayBuffer };

/** Whether it is the same as far as can be heard: between threads every message has objects of its own. */
export function isSameSound(one: WaitingSound | null, other: WaitingSound | null): boolean {
  if (one?.kind === 'loop' && other?.kind === 'loop') {
    return one.samples.byteLength === other.samples.byteLength;
  }
  return JSON.stringify(one) === JSON.stringify(other);
}

const RATE_HZ = 8000;
const PER_MS = RATE_HZ / 1000;
/** A tone comes and goes within this. */
const EDGE_SAMPLES = 10 * PER_MS;
const FULL_SCALE = 32_767;
/** Working space of all legs of a thread: 20 ms. */
const samples = new Int16Array(20 * PER_MS);

/** Plays a waiting sound to one leg; it goes on where it was when it is heard again. */
export class WaitingPlayer implements Sound {
  readonly #next: () => number;
  readonly #resampler: Resampler | undefined;
  /** Samples at 8 kHz per sample that is heard. */
  readonly #ratio: number;

  constructor(sound: WaitingSound, rateHz: number) {
    this.#next = samplesOf(sound);
    this.#ratio = RATE_HZ / rateHz;
    if (rateHz !== RATE_HZ) this.#resampler = new Resampler(RATE_HZ, rateHz);
  }

  start(): void {
    // It begins with its first sample.
  }

  read(into: Int16Array, length: number): boolean {
    const count = length * this.#ratio;
    for (let i = 0; i < count; i++) samples[i] = this.#next();
    if (this.#resampler) into.set(this.#resampler.process(samples, count));
    else for (let i = 0; i < count; i++) into[i] = samples[i] as number;
    return true;
  }

  skip(): void {
    // Nothing of it becomes stale.
  }

  stop(): void {
    // It holds nothing.
  }
}

function samplesOf(sound: WaitingSound): () => number {
  if (sound.kind === 'silence') return () => 0;
  let at = 0;
  if (sound.kind === 'loop') {
    const loop = new Int16Array(sound.samples);
    return () => {
      if (at >= loop.length) at = 0;
      return loop[at++] ?? 0;
    };
  }
  const on = sound.onMs * PER_MS;
  const amplitude = FULL_SCALE * gainOf(sound.levelDb);
  return () => {
    const here = at++ % (on + sound.offMs * PER_MS);
    const edge = Math.max(0, Math.min(1, here / EDGE_SAMPLES, (on - here) / EDGE_SAMPLES));
    return edge === 0
      ? 0
      : Math.round(amplitude * edge * Math.sin((2 * Math.PI * sound.hz * here) / RATE_HZ));
  };
}
