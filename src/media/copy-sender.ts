import { alawOfMulaw, compress, type Law, mulaw, mulawOfAlaw, translate } from '../audio/g711.ts';
import type { OutboundAudio } from './outbound-audio.ts';
import type { SendChain } from './send-chain.ts';

/** A ring of G.711 as G.711: a copy of the bytes, or one law put for the other. */
export class CopySender implements SendChain {
  readonly maxPayloadBytes: number;
  readonly #outbound: OutboundAudio;
  readonly #to: Law;
  readonly #table: Uint8Array | undefined;
  readonly #unheard: Uint8Array;
  played = 0;

  /** @param from of the ring @param to of the payloads @param samples per packet, a byte each */
  constructor(from: Law, to: Law, samples: number, outbound: OutboundAudio) {
    this.maxPayloadBytes = samples;
    this.#outbound = outbound;
    this.#to = to;
    this.#unheard = new Uint8Array(samples);
    if (from !== to) this.#table = from === mulaw ? alawOfMulaw : mulawOfAlaw;
  }

  next(packet: Uint8Array, offset: number, playing: boolean): number {
    const samples = this.maxPayloadBytes;
    this.played = playing ? this.#outbound.readBytes(packet, offset, samples) : 0;
    if (this.#table) translate(packet, this.#table, offset, this.played);
    if (this.played < samples) packet.fill(this.#to.silence, offset + this.played, offset + samples);
    return samples;
  }

  encode(samples: Int16Array, packet: Uint8Array, offset: number): number {
    compress(this.#to, samples, this.maxPayloadBytes, packet, offset);
    return this.maxPayloadBytes;
  }

  skip(): void {
    this.played = this.#outbound.readBytes(this.#unheard, 0, this.maxPayloadBytes);
  }

  close(): void {
    // It holds nothing.
  }
}
