import { MAX_PACKET_SAMPLES } from '../audio/format.ts';
import { Resampler } from '../audio/resampler.ts';
import type { Encoder } from './codec.ts';
import type { OutboundAudio } from './outbound-audio.ts';
import type { SendChain } from './send-chain.ts';

/** The longest payload that any codec makes of 20 ms: an Opus frame. */
const MAX_PAYLOAD_BYTES = 1275;
/** Working space of all legs of a thread. */
const samples = new Int16Array(MAX_PACKET_SAMPLES);

/** Reads the ring, resamples where the codec has another rate, and encodes. */
export class EncodingSender implements SendChain {
  readonly maxPayloadBytes = MAX_PAYLOAD_BYTES;
  readonly #encoder: Encoder;
  readonly #outbound: OutboundAudio;
  readonly #length: number;
  readonly #resampler: Resampler | undefined;
  played = 0;

  /** @param packetMs at most 20 */
  constructor(encoder: Encoder, packetMs: number, outbound: OutboundAudio) {
    const { sampleRateHz } = outbound.format;
    this.#encoder = encoder;
    this.#outbound = outbound;
    this.#length = (packetMs * sampleRateHz) / 1000;
    if (encoder.rateHz !== sampleRateHz) this.#resampler = new Resampler(sampleRateHz, encoder.rateHz);
  }

  next(packet: Uint8Array, offset: number, playing: boolean): number {
    this.played = playing ? this.#outbound.read(samples, this.#length) : 0;
    samples.fill(0, this.played, this.#length);
    return this.encode(samples, packet, offset);
  }

  encode(samples: Int16Array, packet: Uint8Array, offset: number): number {
    const resampler = this.#resampler;
    if (!resampler) return this.#encoder.encode(samples, this.#length, packet, offset);
    const input = resampler.process(samples, this.#length);
    return this.#encoder.encode(input, input.length, packet, offset);
  }

  skip(): void {
    this.played = this.#outbound.read(samples, this.#length);
  }

  close(): void {
    this.#encoder.close?.();
  }
}
