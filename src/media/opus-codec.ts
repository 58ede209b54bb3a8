import {
  Application,
  Bandwidth,
  createDecoder,
  createEncoder,
  isOpusError,
  loadLibopus,
  type OpusDecoderHandle,
  type OpusEncoderHandle,
  Signal,
} from 'libopus-wasm';
import type { SampleRate } from '../audio/format.ts';
import type { Decoder, Encoder } from './codec.ts';
import { opusPacketMs } from './opus-packet.ts';
import type { OpusSettings } from './opus-settings.ts';

/**
 * Opus by libopus in WebAssembly, one module per thread. Its codecs decode to and encode from any of our rates by
 * themselves. They are made asynchronously: until one is there, which is at once when `loadOpus` has been waited for,
 * silence stands for it. Source: RFC 6716, RFC 7587.
 */
const MAX_PACKET_MS = 120;
/** Made-up sound comes in units of 2.5 ms. */
const UNITS_PER_SECOND = 400;
const MAX_PACKET_BYTES = 1275;
/** Half the work of the highest setting, for a difference that speech does not show. */
const COMPLEXITY = 5;
const NARROW_BITRATE = 24_000;
const WIDE_BITRATE = 32_000;
/** Loss that in-band FEC is laid out for, per cent: with less, libopus spends nothing on it at these bitrates. */
const EXPECTED_LOSS = 10;
/** A packet that says only that there is nothing to say (DTX). */
const EMPTY_PACKET_BYTES = 2;

/** Compiles the module of this thread ahead of the first call. */
export async function loadOpus(): Promise<void> {
  await loadLibopus();
}

/** A codec of libopus that is being made; it is freed when it is there, if it has been closed meanwhile. */
class Pending<Handle extends { free(): void }> {
  readonly ready: Promise<void>;
  #handle: Handle | undefined;
  #failure: unknown;
  #closed = false;

  constructor(made: Promise<Handle>) {
    this.ready = made.then(
      (handle) => {
        if (this.#closed) handle.free();
        else this.#handle = handle;
      },
      (error) => {
        this.#failure = error;
      },
    );
  }

  /** undefined while it is being made and when it has been closed. @throws what kept it from being made */
  get(): Handle | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#handle;
  }

  close(): void {
    this.#closed = true;
    this.#handle?.free();
    this.#handle = undefined;
  }
}

export class OpusDecoder implements Decoder {
  readonly rateHz: SampleRate;
  readonly #codec: Pending<OpusDecoderHandle>;
  readonly #unit: number;
  readonly #maxSamples: number;
  /** What was taken and has not been decoded. */
  #packet: Uint8Array | undefined;
  #samples = 0;

  constructor(rateHz: SampleRate) {
    this.rateHz = rateHz;
    this.#unit = rateHz / UNITS_PER_SECOND;
    this.#maxSamples = (MAX_PACKET_MS * rateHz) / 1000;
    // One channel: a stereo stream is mixed down.
    this.#codec = new Pending(
      createDecoder({ channels: 1, sampleRate: rateHz, maxFrameSize: this.#maxSamples }),
    );
  }

  /** Resolves when it decodes. */
  get ready(): Promise<void> {
    return this.#codec.ready;
  }

  take(payload: Uint8Array, offset: number, length: number): number {
    this.#samples = (opusPacketMs(payload, offset, length) * this.rateHz) / 1000;
    this.#packet = this.#samples === 0 ? undefined : payload.subarray(offset, offset + length);
    return this.#samples;
  }

  decode(into: Int16Array): number {
    const packet = this.#packet;
    this.#packet = undefined;
    const codec = this.#codec.get();
    if (!codec || !packet) {
      into.fill(0, 0, this.#samples);
      return this.#samples;
    }
    try {
      const samples = codec.decode(packet);
      into.set(samples);
      return samples.length;
    } catch (error) {
      if (!isOpusError(error)) throw error;
      // Its beginning was right and the rest is not: as good as lost.
      this.#makeUp(into, this.#samples, undefined);
      return this.#samples;
    }
  }

  /** The packet that was taken may carry a copy of the one before it (in-band FEC). */
  conceal(into: Int16Array, samples: number): void {
    this.#makeUp(into, samples, this.#packet);
  }

  pause(into: Int16Array, samples: number): void {
    this.#makeUp(into, samples, undefined);
  }

  close(): void {
    this.#packet = undefined;
    this.#codec.close();
  }

  #makeUp(into: Int16Array, samples: number, next: Uint8Array | undefined): void {
    const codec = this.#codec.get();
    if (!codec) {
      into.fill(0, 0, samples);
      return;
    }
    let at = 0;
    for (; samples - at > this.#maxSamples; at += this.#maxSamples) {
      into.set(codec.decode(null, { frameSize: this.#maxSamples }), at);
    }
    const left = samples - at;
    const frameSize = Math.ceil(left / this.#unit) * this.#unit;
    const made = next ? this.#recover(codec, next, frameSize) : codec.decode(null, { frameSize });
    // What joins the next packet is at the end.
    into.set(made.subarray(frameSize - left), at);
  }

  #recover(codec: OpusDecoderHandle, next: Uint8Array, frameSize: number): Int16Array {
    try {
      return codec.decode(next, { decodeFec: true, frameSize });
    } catch (error) {
      if (!isOpusError(error)) throw error;
      return codec.decode(null, { frameSize });
    }
  }
}

const bandwidths: readonly [rateHz: number, bandwidth: Bandwidth][] = [
  [8000, Bandwidth.Narrowband],
  [12_000, Bandwidth.Mediumband],
  [16_000, Bandwidth.Wideband],
  [24_000, Bandwidth.Superwideband],
];

export class OpusEncoder implements Encoder {
  readonly rateHz: SampleRate;
  readonly #codec: Pending<OpusEncoderHandle>;
  readonly #dtx: boolean;

  /** @param rateHz of the samples that it gets @param settings what the peer wants */
  constructor(rateHz: SampleRate, settings: OpusSettings) {
    this.rateHz = rateHz;
    this.#dtx = settings.dtx;
    const bitrate = rateHz > 8000 ? WIDE_BITRATE : NARROW_BITRATE;
    const bandwidth = bandwidths.find(([rate]) => settings.maxPlaybackRateHz <= rate)?.[1];
    this.#codec = new Pending(
      createEncoder({
        application: Application.Voip,
        signal: Signal.Voice,
        channels: 1,
        sampleRate: rateHz,
        bitrate: Math.min(bitrate, settings.maxAverageBitrate ?? bitrate),
        complexity: COMPLEXITY,
        fec: settings.inbandFec,
        packetLossPercent: settings.inbandFec ? EXPECTED_LOSS : 0,
        dtx: settings.dtx,
        vbr: !settings.constantBitrate,
        ...(bandwidth && { maxBandwidth: bandwidth }),
      }),
    );
  }

  /** Resolves when it encodes. */
  get ready(): Promise<void> {
    return this.#codec.ready;
  }

  encode(samples: Int16Array, length: number, into: Uint8Array, offset: number): number {
    const codec = this.#codec.get();
    if (!codec) return 0;
    const packet = codec.encode(samples.subarray(0, length), {
      frameSize: length,
      maxPacketBytes: MAX_PACKET_BYTES,
    });
    if (this.#dtx && packet.length <= EMPTY_PACKET_BYTES) return 0;
    into.set(packet, offset);
    return packet.length;
  }

  close(): void {
    this.#codec.close();
  }
}
