import type { SampleRate } from '../audio/format.ts';

/**
 * From the payloads of one RTP stream to samples, mono. A packet is first taken and then decoded, because a loss shows
 * by the packet after it, which may help to conceal it.
 */
export interface Decoder {
  readonly rateHz: SampleRate;
  /** Takes a payload, whose bytes stay as they are until `decode`. @returns samples that it holds; 0 = it is not of this codec */
  take(bytes: Uint8Array, offset: number, length: number): number;
  /** Writes the samples of what was taken to the beginning of `into`. @returns how many */
  decode(into: Int16Array): number;
  /**
   * Makes up `samples` that were lost before what was taken last and not decoded yet, or that follow what there was.
   * @param samples at most 240 ms
   */
  conceal(into: Int16Array, samples: number): void;
  /** Makes `samples` of the codec's own comfort noise, while the peer sends nothing; absent where it has none. */
  pause?(into: Int16Array, samples: number): void;
  /** Idempotent. */
  close(): void;
}

/** From samples, mono, to the payloads of one RTP stream. */
export interface Encoder {
  readonly rateHz: SampleRate;
  /**
   * Writes the payload of the first `length` samples to `into` from `offset` on.
   * @returns its bytes; 0 = nothing needs to be sent (DTX)
   */
  encode(samples: Int16Array, length: number, into: Uint8Array, offset: number): number;
  /** Idempotent; absent where nothing is held. */
  close?(): void;
}
