import { alaw, mulaw } from '../audio/g711.ts';
import type { CodecName } from '../config/codecs.ts';
import { codecs } from './codecs.ts';
import { CopySender } from './copy-sender.ts';
import { EncodingSender } from './encoding-sender.ts';
import type { OpusSettings } from './opus-settings.ts';
import type { OutboundAudio } from './outbound-audio.ts';

/** From the format of a leg's outbound ring to a codec's payloads; built once per change of codec or packet length. */
export interface SendChain {
  /** Room that a payload needs. */
  readonly maxPayloadBytes: number;
  /** Samples of the last packet that `next` or `skip` took from the ring; the rest of it is silence. */
  readonly played: number;
  /**
   * Writes the next payload.
   * @param playing whether the ring is read; else it is silence
   * @returns its bytes; 0 = nothing needs to be sent
   */
  next(packet: Uint8Array, offset: number, playing: boolean): number;
  /** Writes the payload of samples of the ring's rate, a packet of them. @returns as `next` */
  encode(samples: Int16Array, packet: Uint8Array, offset: number): number;
  /** Lets the audio of a packet pass unheard. */
  skip(): void;
  /** Idempotent. */
  close(): void;
}

/** G.711 from G.711 stays in its bytes; everything else is encoded. */
export function createSendChain(
  codec: CodecName,
  packetMs: number,
  outbound: OutboundAudio,
  opus?: OpusSettings,
): SendChain {
  const { sampleRateHz } = outbound.format;
  const isLaw = codec === 'PCMU' || codec === 'PCMA';
  if (isLaw && outbound.law && sampleRateHz === 8000) {
    return new CopySender(outbound.law, codec === 'PCMU' ? mulaw : alaw, packetMs * 8, outbound);
  }
  return new EncodingSender(codecs[codec].encoder(sampleRateHz, opus), packetMs, outbound);
}
