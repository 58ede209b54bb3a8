import { compress, expand, type Law } from '../audio/g711.ts';
import type { Encoder } from './codec.ts';
import type { SampleDecoder } from './waveform-decoder.ts';

/** G.711 where it meets something other than G.711. */
export class G711Decoder implements SampleDecoder {
  readonly rateHz = 8000;
  readonly samplesPerOctet = 1;
  readonly #law: Law;

  constructor(law: Law) {
    this.#law = law;
  }

  decode(payload: Uint8Array, offset: number, length: number, into: Int16Array): number {
    expand(this.#law, payload, offset, length, into);
    return length;
  }
}

export class G711Encoder implements Encoder {
  readonly rateHz = 8000;
  readonly #law: Law;

  constructor(law: Law) {
    this.#law = law;
  }

  encode(samples: Int16Array, length: number, into: Uint8Array, offset: number): number {
    compress(this.#law, samples, length, into, offset);
    return length;
  }
}
