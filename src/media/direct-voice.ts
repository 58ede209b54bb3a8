import { Resampler } from '../audio/resampler.ts';
import { ArrivalTimes } from './arrival-times.ts';
import { DirectBuffer } from './direct-buffer.ts';
import type { Sound } from './sound.ts';
import type { StatsBlock } from './stats-block.ts';
import type { Listener, Voice } from './voice.ts';

/** One leg's voice on its way to another leg of the same worker. */
export class DirectVoice implements Sound, Listener {
  readonly #voice: Voice;
  readonly #buffer: DirectBuffer;
  readonly #stats: StatsBlock;
  readonly #arrivals = new ArrivalTimes();
  readonly #resampler: Resampler | undefined;

  /** @param rateHz in which it is heard */
  constructor(voice: Voice, rateHz: number, stats: StatsBlock) {
    this.#voice = voice;
    this.#stats = stats;
    this.#buffer = new DirectBuffer(rateHz, stats, voice);
    if (voice.rateHz !== rateHz) this.#resampler = new Resampler(voice.rateHz, rateHz);
  }

  start(): void {
    this.#voice.add(this);
  }

  write(samples: Int16Array, length: number): void {
    const output = this.#resampler?.process(samples, length);
    this.#buffer.write(output ?? samples, output?.length ?? length);
    this.#arrivals.note(this.#buffer.written, performance.now());
  }

  read(into: Int16Array, length: number): boolean {
    const before = this.#buffer.taken;
    const sounds = this.#buffer.read(into, length);
    const { taken } = this.#buffer;
    if (taken <= before) return sounds;
    const cameAt = this.#arrivals.before(taken);
    if (cameAt !== undefined) this.#stats.direct.add(performance.now() - cameAt);
    return sounds;
  }

  skip(): void {
    this.#buffer.clear();
  }

  stop(): void {
    this.#voice.remove(this);
  }
}
