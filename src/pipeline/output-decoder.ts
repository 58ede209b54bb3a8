import { decodeBase64 } from '../audio/base64.ts';
import type { Encoding, SampleRate } from '../audio/format.ts';
import { alawToLinear, linearToMulaw, mulawOfAlaw, mulawToLinear, translate } from '../audio/g711.ts';
import { Resampler } from '../audio/resampler.ts';
import { MAX_AUDIO_BYTES } from './dialect.ts';

/**
 * Turns the audio of the pipeline's messages into what a leg plays: mu-law, 8 kHz, mono. One per listener: a stream
 * goes on from message to message, and so does its resampler.
 */
const LEG_RATE_HZ = 8000;
/** Shared by all streams: what is in it has been copied by the time the next message is read. */
const decoded = Buffer.allocUnsafeSlow(MAX_AUDIO_BYTES);

export interface EncodedAudio {
  encoding: Encoding;
  sampleRateHz: SampleRate;
  /** Base64, or the bytes that it stands for, which are changed, at an even address; `pcm_16` is little-endian. */
  payload: string | Buffer;
}

export class OutputDecoder {
  readonly #resamplers = new Map<SampleRate, Resampler>();

  /** @returns mu-law, 8 kHz, valid until the next call of any decoder; undefined when the payload is not what it says */
  decode({ encoding, sampleRateHz, payload }: EncodedAudio): Uint8Array | undefined {
    const bytes = typeof payload === 'string' ? decodeBase64(payload, decoded) : payload;
    if (bytes === undefined || (encoding === 'pcm_16' && bytes.length % 2 !== 0)) return undefined;
    if (sampleRateHz !== LEG_RATE_HZ) {
      return linearToMulaw(this.#resampler(sampleRateHz).process(toLinear(bytes, encoding)));
    }
    if (encoding === 'pcm_16') return linearToMulaw(toLinear(bytes, encoding));
    if (encoding === 'alaw') translate(bytes, mulawOfAlaw);
    return bytes;
  }

  #resampler(fromHz: SampleRate): Resampler {
    const known = this.#resamplers.get(fromHz);
    if (known !== undefined) return known;
    const resampler = new Resampler(fromHz, LEG_RATE_HZ);
    this.#resamplers.set(fromHz, resampler);
    return resampler;
  }
}

function toLinear(bytes: Buffer, encoding: Encoding): Int16Array {
  if (encoding === 'mulaw') return mulawToLinear(bytes);
  if (encoding === 'alaw') return alawToLinear(bytes);
  // Node runs on little-endian machines only, and what is decoded begins on an even address.
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
}
