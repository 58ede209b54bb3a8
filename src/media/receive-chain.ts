import type { ComfortNoise } from '../audio/comfort-noise.ts';
import { alaw, mulaw } from '../audio/g711.ts';
import type { CodecName } from '../config/codecs.ts';
import { codecs } from './codecs.ts';
import { CopyReceiver } from './copy-receiver.ts';
import { DecodingReceiver } from './decoding-receiver.ts';
import type { InboundAudio } from './inbound-audio.ts';

/**
 * From a codec's payloads to the format of a leg's inbound ring; built once per change of codec. Lengths are samples of
 * the ring's rate.
 */
export interface ReceiveChain {
  /** Takes a payload, whose bytes stay as they are until `write` or `drop`. @returns its length; 0 = it is not of this codec */
  take(payload: Uint8Array, offset: number, length: number): number;
  /** Whether what was taken is so quiet that nobody misses it in a pause. */
  isQuiet(): boolean;
  write(): void;
  /** What was taken is left out. */
  drop(): void;
  /** Makes up what was lost before what was taken, or what follows while nothing comes; at most 240 ms. */
  conceal(length: number): void;
  /** A pause in which the peer sends nothing, filled with noise where it has described some. */
  pause(length: number, noise: ComfortNoise | undefined): void;
  /** Idempotent. */
  close(): void;
}

/** G.711 to G.711 stays in its bytes; everything else is decoded. */
export function createReceiveChain(codec: CodecName, inbound: InboundAudio): ReceiveChain {
  const { sampleRateHz } = inbound.format;
  const isLaw = codec === 'PCMU' || codec === 'PCMA';
  if (isLaw && inbound.law && sampleRateHz === 8000) {
    return new CopyReceiver(codec === 'PCMU' ? mulaw : alaw, inbound.law, inbound);
  }
  return new DecodingReceiver(codecs[codec].decoder(sampleRateHz), inbound);
}
