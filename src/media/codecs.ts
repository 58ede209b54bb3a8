import type { SampleRate } from '../audio/format.ts';
import { alaw, mulaw } from '../audio/g711.ts';
import type { CodecName, Decoder, Encoder } from './codec.ts';
import { G711Decoder, G711Encoder } from './g711-codec.ts';
import { WaveformDecoder } from './waveform-decoder.ts';

interface Codec {
  /** Of its RTP timestamps. */
  readonly clockRateHz: number;
  /** Octets of the longest payload that is taken: 60 ms. */
  readonly maxPayloadBytes: number;
  /** @param rateHz what the samples are wanted in; a codec with a rate of its own decodes to that */
  decoder(rateHz: SampleRate): Decoder;
  encoder(rateHz: SampleRate): Encoder;
}

/** Every codec that can be negotiated, one entry each. */
export const codecs: Readonly<Record<CodecName, Codec>> = {
  PCMU: {
    clockRateHz: 8000,
    maxPayloadBytes: 480,
    decoder: () => new WaveformDecoder(new G711Decoder(mulaw)),
    encoder: () => new G711Encoder(mulaw),
  },
  PCMA: {
    clockRateHz: 8000,
    maxPayloadBytes: 480,
    decoder: () => new WaveformDecoder(new G711Decoder(alaw)),
    encoder: () => new G711Encoder(alaw),
  },
};
