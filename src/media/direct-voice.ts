import { Resampler } from '../audio/resampler.ts';
import { DirectBuffer } from './direct-buffer.ts';
import type { Sound } from './sound.ts';
import type { StatsBlock } from './stats-block.ts';
import type { Listener, Voice } from './voice.ts';

/** One leg's voice on its way to another leg of the same worker. */
export class DirectVoice implements Sound, Listener {
  readonly #voice: Voice;
  readonly #buffer: DirectBuffer;
  readonly #resampler: Resampler | undefined;

  /** @param rateHz in which it is heard */
  constructor(voice: Voice, rateHz: number, stats: StatsBlock) {
    this.#voice = voice;
    this.#buffer = new DirectBuffer(rateHz, stats);
    if (voice.rateHz !== rateHz) this.#resampler = new Resampler(voice.rateHz, rateHz);
  }

  start(): void {
    this.#voice.add(this);
  }

  write(samples: Int16Array, length: number): void {
    if (!this.#resampler) {
      this.#buffer.write(samples, length);
      return;
    }
    const output = this.#resampler.process(samples, length);
    this.#buffer.write(output, output.length);
  }

  read(into: Int16Array, length: number): boolean {
    return this.#buffer.read(into, length);
  }

  skip(): void {
    this.#buffer.clear();
  }

  stop(): void {
    this.#voice.remove(this);
  }
}
