import { MAX_SAMPLES, type SampleRate } from '../audio/format.ts';
import { expandFaithfully, type Law } from '../audio/g711.ts';

/** Working space of all legs of a thread. */
const expanded = new Int16Array(MAX_SAMPLES);

/** What a packet of RTP comes late at most, as a rule, ms. */
const STEADY_CUSHION_MS = 20;

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
  /** It comes in messages of any length, and not in packets. */
  readonly comesInBursts: boolean;
  readonly #listeners: Listener[] = [];
  #ended = false;
  #burstMs = 0;
  #cushionMs = STEADY_CUSHION_MS;

  constructor(rateHz: SampleRate, comesInBursts = false) {
    this.rateHz = rateHz;
    this.comesInBursts = comesInBursts;
  }

  /** How much comes at once, ms; 0 where that is no more than a packet holds. */
  get burstMs(): number {
    return this.#burstMs;
  }

  /** What a listener keeps in hand, ms. */
  get cushionMs(): number {
    return this.#cushionMs;
  }

  /** How it comes now. */
  comes(burstMs: number, cushionMs: number): void {
    this.#burstMs = burstMs;
    this.#cushionMs = cushionMs;
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
