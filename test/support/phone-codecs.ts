import { Application, createDecoder, createEncoder, type OpusEncoderHandle, Signal } from 'libopus-wasm';
import { G722Decoder, G722Encoder } from '../../src/audio/g722.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { decode, encode, type Codec as G711 } from './g711.ts';
import { inOrder, streams } from './heard-stream.ts';
import type { HeardPacket } from './rtp-packet.ts';

/**
 * What a test phone can speak. G.711 is its own and Opus is libopus without anything of the gateway's around it; G.722
 * is the gateway's, which is held against another implementation in its own test. Samples are 16-bit, 8 kHz.
 */
export type Codec = G711 | 'G722' | 'opus';

interface Form {
  payloadType: number;
  rtpmap: string;
  /** Timestamp units per ms. */
  clock: number;
  fmtp?: string;
}

export const forms: Readonly<Record<Codec, Form>> = {
  PCMU: { payloadType: 0, rtpmap: 'PCMU/8000', clock: 8 },
  PCMA: { payloadType: 8, rtpmap: 'PCMA/8000', clock: 8 },
  G722: { payloadType: 9, rtpmap: 'G722/8000', clock: 8 },
  opus: { payloadType: 111, rtpmap: 'opus/48000/2', clock: 48, fmtp: 'useinbandfec=1' },
};

/** The encoders of one phone's call. */
export class PhoneEncoders {
  readonly #opus: OpusEncoderHandle | undefined;
  readonly #g722 = new G722Encoder();
  readonly #resampler = new Resampler(8000, 16_000);

  private constructor(opus: OpusEncoderHandle | undefined) {
    this.#opus = opus;
  }

  static async open(codecs: readonly Codec[]): Promise<PhoneEncoders> {
    if (!codecs.includes('opus')) return new PhoneEncoders(undefined);
    const voice = { application: Application.Voip, signal: Signal.Voice, bitrate: 24_000 };
    const options = { sampleRate: 8000, channels: 1, fec: true, packetLossPercent: 10 } as const;
    return new PhoneEncoders(await createEncoder({ ...voice, ...options }));
  }

  /** @throws Error for Opus when it was opened without it */
  encode(codec: Codec, samples: Int16Array): Uint8Array {
    if (codec === 'G722') {
      const octets = new Uint8Array(samples.length);
      const wide = this.#resampler.process(samples);
      this.#g722.encode(wide, wide.length, octets, 0);
      return octets;
    }
    if (codec !== 'opus') return encode(codec, samples);
    if (!this.#opus) throw new Error('this phone does not speak Opus');
    return this.#opus.encode(samples, { frameSize: samples.length });
  }

  close(): void {
    this.#opus?.free();
  }
}

/** Decodes packets of one codec in the order in which they are given. @returns the samples of each */
export async function decodePackets(packets: readonly HeardPacket[], codec: Codec): Promise<Int16Array[]> {
  const opus = await createDecoder({ sampleRate: 8000, channels: 1 });
  const g722 = new G722Decoder();
  const resampler = new Resampler(16_000, 8000);
  const wide = new Int16Array(1920);
  const pieces = packets.map(({ payload }) => {
    if (codec === 'opus') return opus.decode(payload);
    if (codec !== 'G722') return decode(codec, payload);
    return resampler.process(wide, g722.decode(payload, 0, payload.length, wide)).slice();
  });
  opus.free();
  return pieces;
}

/** The speech of heard packets of one codec, one after the other by their numbers; each SSRC is a stretch of its own. */
export async function heardSamples(packets: readonly HeardPacket[], codec: Codec): Promise<Int16Array> {
  const ordered = streams(packets.filter((one) => one.pt === forms[codec].payloadType)).flatMap(inOrder);
  const pieces = await decodePackets(
    ordered.map(({ packet }) => packet),
    codec,
  );
  const samples = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    samples.set(piece, at);
    at += piece.length;
  }
  return samples;
}

/** A quarter of a second is looked for at once: roughly at a quarter of the rate first, so that nobody has to wait for it. */
const CHUNK = 2000;
const COARSE = 4;
/** Chunks with less of an effective value than this hold no speech. */
const SPEECH = 400;

/**
 * How alike what was heard is to what was played, whatever the delay and stretches of silence between: each quarter of a
 * second of speech is looked for everywhere.
 * @returns the median of their likenesses, 0 to 1
 */
export function likeness(played: Int16Array, heard: Int16Array): number {
  const [coarsePlayed, coarseHeard] = [thinned(played), thinned(heard)];
  const found: number[] = [];
  for (let at = 0; at + CHUNK <= played.length; at += CHUNK) {
    const chunk = played.subarray(at, at + CHUNK);
    if (power(chunk) < SPEECH ** 2) continue;
    const coarse = coarsePlayed.subarray(at / COARSE, (at + CHUNK) / COARSE);
    const near = bestMatch(coarse, coarseHeard, 0, coarseHeard.length).at * COARSE;
    found.push(bestMatch(chunk, heard, near - 2 * COARSE, near + 2 * COARSE).likeness);
  }
  return found.sort((a, b) => a - b)[found.length >> 1] ?? 0;
}

const power = (samples: Int16Array): number =>
  samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length;

/** Every fourth sample, of the mean of four. */
const thinned = (samples: Int16Array): Int16Array =>
  Int16Array.from({ length: Math.floor(samples.length / COARSE) }, (_, i) => {
    const at = i * COARSE;
    return (samples[at]! + samples[at + 1]! + samples[at + 2]! + samples[at + 3]!) / COARSE;
  });

function bestMatch(chunk: Int16Array, heard: Int16Array, from: number, to: number) {
  const energy = power(chunk) * chunk.length;
  let best = { at: 0, likeness: 0 };
  for (let at = Math.max(0, from); at <= to && at + chunk.length <= heard.length; at++) {
    let product = 0;
    let own = 0;
    for (let i = 0; i < chunk.length; i++) {
      const sample = heard[at + i]!;
      product += chunk[i]! * sample;
      own += sample * sample;
    }
    // What is much fainter is not it, however alike.
    const likeness = own < energy / 16 ? 0 : product / Math.sqrt(energy * own);
    if (likeness > best.likeness) best = { at, likeness };
  }
  return best;
}
