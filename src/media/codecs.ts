import type { SampleRate } from '../audio/format.ts';
import { alaw, mulaw } from '../audio/g711.ts';
import { G722Decoder, G722Encoder } from '../audio/g722.ts';
import type { CodecName } from '../config/codecs.ts';
import type { Decoder, Encoder } from './codec.ts';
import { G711Decoder, G711Encoder } from './g711-codec.ts';
import { OpusDecoder, OpusEncoder } from './opus-codec.ts';
import { defaultOpusSettings, type OpusSettings } from './opus-settings.ts';
import { WaveformDecoder } from './waveform-decoder.ts';

interface Codec {
  /** Of its RTP timestamps. */
  readonly clockRateHz: number;
  /** Octets of the longest payload that is taken: 60 ms, and for Opus what fits into a datagram. */
  readonly maxPayloadBytes: number;
  /** @param rateHz what the samples are wanted in; a codec with a rate of its own decodes to that */
  decoder(rateHz: SampleRate): Decoder;
  encoder(rateHz: SampleRate, opus: OpusSettings | undefined): Encoder;
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
  G722: {
    // Its samples come at 16 kHz, and its timestamps at 8 (RFC 3551 §4.5.2).
    clockRateHz: 8000,
    maxPayloadBytes: 480,
    decoder: () => new WaveformDecoder(new G722Decoder()),
    encoder: () => new G722Encoder(),
  },
  opus: {
    clockRateHz: 48_000,
    maxPayloadBytes: 1500,
    decoder: (rateHz) => new OpusDecoder(rateHz),
    encoder: (rateHz, opus) => new OpusEncoder(rateHz, opus ?? defaultOpusSettings),
  },
};
