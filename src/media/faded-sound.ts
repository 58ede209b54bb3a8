import { MAX_PACKET_SAMPLES } from '../audio/format.ts';
import { GainRamp } from './gain-ramp.ts';
import type { Sound } from './sound.ts';

/** Working space of all legs of a thread. */
const samples = new Int16Array(MAX_PACKET_SAMPLES);

/** A sound that comes and goes by ramps: another one takes its place when it has faded out. */
export class FadedSound {
  readonly #ramp: GainRamp;
  #sound: Sound | undefined;
  #next: Sound | undefined;

  constructor(rateHz: number) {
    this.#ramp = new GainRamp(rateHz, 0);
  }

  /** Nothing is heard and nothing is going to be. */
  get isNone(): boolean {
    return this.#sound === undefined && this.#next === undefined;
  }

  /** @param sound what is to be heard from now on; the same one again changes nothing */
  play(sound: Sound | undefined): void {
    this.#next = sound;
  }

  /** Adds its next samples to `mix`, at most 20 ms of them, on the way to `gain`. @returns whether there was any sound */
  addTo(mix: Float64Array, length: number, gain: number): boolean {
    if (this.#sound !== this.#next && this.#ramp.isAt(0)) this.#change();
    const sound = this.#sound;
    if (!sound) return false;
    this.#ramp.to(sound === this.#next ? gain : 0);
    const sounds = sound.read(samples, length) && !this.#ramp.isAt(0);
    this.#ramp.addTo(mix, samples, length);
    return sounds;
  }

  /** Nobody hears a packet's worth of it. */
  skip(): void {
    if (this.#sound !== this.#next) this.#change();
    this.#sound?.skip();
  }

  /** Idempotent. */
  stop(): void {
    this.#next = undefined;
    this.#change();
  }

  #change(): void {
    this.#sound?.stop();
    this.#sound = this.#next;
    this.#ramp.reset();
    this.#sound?.start();
  }
}
