import type { ComfortNoise } from '../audio/comfort-noise.ts';
import { concealmentAt } from '../audio/concealment.ts';
import { MAX_SAMPLES } from '../audio/format.ts';
import { alawOfMulaw, expand, type Law, mulaw, mulawOfAlaw, translate } from '../audio/g711.ts';
import type { InboundAudio } from './inbound-audio.ts';
import type { ReceiveChain } from './receive-chain.ts';

const RATE_HZ = 8000;
/** Working space of all legs of a thread. */
const next = new Int16Array(MAX_SAMPLES);
const made = new Int16Array(MAX_SAMPLES);
const nothing: Uint8Array = new Uint8Array(0);

/**
 * G.711 into a ring of G.711: a copy of the bytes, or one law put for the other. What was lost is made up from what the
 * ring holds and from the packet that follows, so that nothing has to be remembered while all is well.
 */
export class CopyReceiver implements ReceiveChain {
  readonly #inbound: InboundAudio;
  readonly #from: Law;
  readonly #table: Uint8Array | undefined;
  #payload = nothing;
  #offset = 0;
  #length = 0;
  /** Samples that have been made up since the last packet. */
  #madeUp = 0;

  /** @param from of the payloads @param to of the ring */
  constructor(from: Law, to: Law, inbound: InboundAudio) {
    this.#inbound = inbound;
    this.#from = from;
    if (from !== to) this.#table = from === mulaw ? alawOfMulaw : mulawOfAlaw;
  }

  take(payload: Uint8Array, offset: number, length: number): number {
    this.#payload = payload;
    this.#offset = offset;
    this.#length = length;
    return length;
  }

  isQuiet(): boolean {
    const { quiet } = this.#from;
    const end = this.#offset + this.#length;
    for (let i = this.#offset; i < end; i++) if (!quiet[this.#payload[i] as number]) return false;
    return true;
  }

  /** The other law is rewritten in place, after it has been said as it came. */
  write(): void {
    const { voice } = this.#inbound;
    if (voice.isHeard) voice.writeLaw(this.#from, this.#payload, this.#offset, this.#length);
    if (this.#table) translate(this.#payload, this.#table, this.#offset, this.#length);
    this.#inbound.writeBytes(this.#payload, this.#offset, this.#length);
    this.drop();
  }

  drop(): void {
    this.#length = 0;
    this.#madeUp = 0;
  }

  conceal(length: number): void {
    const concealment = concealmentAt(RATE_HZ);
    expand(this.#from, this.#payload, this.#offset, this.#length, next);
    const before = this.#inbound.recent(concealment.reach);
    concealment.fill(before, next, this.#length, made, length, this.#madeUp);
    this.#inbound.write(made, length);
    this.#madeUp += length;
  }

  pause(length: number, noise: ComfortNoise | undefined): void {
    this.#inbound.writePause(length, noise);
  }

  close(): void {
    this.#payload = nothing;
    this.#length = 0;
  }
}
