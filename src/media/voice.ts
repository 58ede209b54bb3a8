import { MAX_SAMPLES, type SampleRate } from '../audio/format.ts';
import { expandFaithfully, type Law } from '../audio/g711.ts';

/** Working space of all legs of a thread. */
const expanded = new Int16Array(MAX_SAMPLES);

/** Takes what is said, as it comes. */
export interface Listener {
  /** @param samples valid during the call */
  write(samples: Int16Array, length: number): void;
}

/**
 * What a leg says, for those in its worker that hear it directly; whatever kind of leg it is writes it, continuous in
 * time, as it goes to the pipeline. As a rule there is one listener or none.
 */
export class Voice {
  readonly rateHz: SampleRate;
  readonly #listeners: Listener[] = [];
  #ended = false;

  constructor(rateHz: SampleRate) {
    this.rateHz = rateHz;
  }

  /** Whether anybody listens: else nothing needs to be written. */
  get isHeard(): boolean {
    return this.#listeners.length > 0;
  }

  /** The leg is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  add(listener: Listener): void {
    if (!this.#ended) this.#listeners.push(listener);
  }

  /** Idempotent. */
  remove(listener: Listener): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  write(samples: Int16Array, length: number): void {
    for (let i = 0; i < this.#listeners.length; i++) this.#listeners[i]?.write(samples, length);
  }

  /** Says G.711, so that it is the same G.711 again for a listener with the same law, at most 240 ms. */
  writeLaw(law: Law, bytes: Uint8Array, offset: number, length: number): void {
    expandFaithfully(law, bytes, offset, length, expanded);
    this.write(expanded, length);
  }

  /** Idempotent. */
  end(): void {
    this.#ended = true;
    this.#listeners.length = 0;
  }
}
