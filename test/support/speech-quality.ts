import { inOrder } from './heard-stream.ts';
import { type Codec, decodePackets, forms } from './phone-codecs.ts';
import type { HeardPacket } from './rtp-packet.ts';

/**
 * How near to the original what was heard is: the signal-to-noise ratio of each packet's 20 ms, after both have been
 * laid over each other. The way may have any delay, also one of parts of a sample (codecs and resamplers have such), and
 * a stalled machine may put silence in between. Samples are 16-bit, 8 kHz.
 */
export const PACKET = 160;
/** Limits of a segment, as is usual: what is silent or perfect must not decide over the mean. dB. */
const MIN_DB = -10;
const MAX_DB = 35;
/** Packets with less of an effective value than this hold no speech. */
const SPEECH = 100;

/** The delay is looked for with the first two seconds of speech, up to three seconds away; roughly at first. */
const ANCHOR = 16_000;
const MAX_DELAY = 24_000;
const COARSE = 4;
/** Parts of a sample that are told apart. */
const FRACTIONS = 8;
/** Half the length of the filter that delays by them. */
const REACH = 16;
/** From block to block (200 ms) the delay stays what it was, or is looked for anew, from 0.5 s less to 1.5 s more. */
const BLOCK = 10 * PACKET;
const LESS = 4000;
const MORE = 12_000;
/** The delay stays while a block is so much alike; for another one it has to be more. */
const ALIKE = 0.6;
const MUCH_ALIKE = 0.7;
/** Samples on either side of a packet by which its delay is made sure of; after it, not before a decoder is itself again. */
const AROUND = 2 * PACKET;
const AFTER = PACKET / 2;
/** With so many blocks lost in a row there is nothing to be found. */
const MAX_MISSED = 10;
/** Blocks with less of an effective value say nothing about the delay. */
const LOUD = 400;

/** What a phone heard, packet after packet by their numbers; zeros in place of packets that did not come. */
export interface HeardSpeech {
  readonly samples: Int16Array;
  /** 1 for each sample that the way back has spoilt. */
  readonly spoilt: Uint8Array;
}

/** A lost packet also spoils what a decoder with a memory makes of so many packets after it. */
const memory: Readonly<Record<Codec, number>> = { PCMU: 0, PCMA: 0, G722: 3, opus: 3 };

/** Samples by which a packet holds what is earlier than its place: the resampler of G.722, and what Opus looks ahead. */
const encoderDelay: Readonly<Record<Codec, number>> = { PCMU: 0, PCMA: 0, G722: 20, opus: 52 };

/** Only filters delay by parts of a sample. */
const wholeDelay: Readonly<Record<Codec, boolean>> = { PCMU: true, PCMA: true, G722: false, opus: false };

/** @param packets of one stream, 20 ms each */
export async function heardSpeech(packets: readonly HeardPacket[], codec: Codec): Promise<HeardSpeech> {
  const order = inOrder(packets.filter((one) => one.pt === forms[codec].payloadType));
  const pieces = await decodePackets(
    order.map(({ packet }) => packet),
    codec,
  );
  const [first, last] = [order[0]?.seq ?? 0, order.at(-1)?.seq ?? -1];
  const samples = new Int16Array((last - first + 1) * PACKET);
  const spoilt = new Uint8Array(samples.length);
  let expected = first;
  order.forEach(({ seq }, i) => {
    const at = (seq - first) * PACKET;
    samples.set(pieces[i]!, at);
    if (seq > expected) spoilt.fill(1, (expected - first) * PACKET, at + memory[codec] * PACKET);
    expected = seq + 1;
  });
  return { samples, spoilt };
}

/** The speech of an original laid over what was heard of it. */
export class Comparison {
  readonly #original: Int16Array;
  readonly #heard: Float64Array;
  readonly #spoilt: Uint8Array;
  readonly #encoderDelay: number;
  readonly #start: number;
  readonly #lags: (number | undefined)[];

  constructor(original: Int16Array, heard: HeardSpeech, codec: Codec) {
    this.#original = original;
    this.#encoderDelay = encoderDelay[codec];
    this.#spoilt = heard.spoilt;
    this.#start = firstSpeech(original);
    const { lag, samples } = anchor(original, this.#start, heard.samples, wholeDelay[codec] ? 1 : FRACTIONS);
    this.#heard = samples;
    this.#lags = blockLags(original, this.#start, samples, lag);
  }

  /**
   * dB of a packet's 20 ms, where both have the same delay around them: 40 ms before and after are compared first.
   * @param packets from the first that is judged to the last, which may be several if what lies between them is unsure too
   * @returns one value each; undefined where there is no speech, or the delay is not certain
   */
  judge(first: number, last = first): number[] | undefined {
    const from = first * PACKET - this.#encoderDelay;
    const to = from + (last - first + 1) * PACKET;
    const lag = this.#around(from).find(
      (one) => this.#isCertain(from - AROUND, one) && this.#isCertain(to + AFTER, one),
    );
    if (lag === undefined) return undefined;
    const isSpoilt = this.#spoilt.subarray(from + lag, to + lag).includes(1);
    if (isSpoilt) return undefined;
    const packets = Array.from({ length: last - first + 1 }, (_, i) => from + i * PACKET);
    return packets
      .filter((at) => isSpeech(this.#original, at))
      .map((at) => ratio(this.#original, at, this.#heard, at + lag));
  }

  /** Where the delay changes within a block, a packet has the one or the other. */
  #around(at: number): number[] {
    const block = Math.floor((at - this.#start) / BLOCK);
    const lags = [0, 1, -1].map((step) => this.#lags[block + step]);
    return [...new Set(lags.filter((one) => one !== undefined))];
  }

  #isCertain(at: number, lag: number): boolean {
    const original = this.#original;
    if (at + lag < 0 || energy(original, at, AROUND) < AROUND * SPEECH ** 2) return false;
    return likeness(original, at, AROUND, this.#heard, at + lag) >= MUCH_ALIKE;
  }
}

const isSpeech = (samples: Int16Array, from: number): boolean =>
  energy(samples, from, PACKET) >= PACKET * SPEECH ** 2;

/** At the beginning of a packet. */
function firstSpeech(samples: Int16Array): number {
  let at = 0;
  while (at < samples.length && !isSpeech(samples, at)) at += PACKET;
  return at;
}

function ratio(original: Int16Array, from: number, heard: Float64Array, at: number): number {
  let noise = 1;
  for (let i = 0; i < PACKET; i++) noise += (original[from + i]! - (heard[at + i] ?? 0)) ** 2;
  return Math.max(MIN_DB, Math.min(MAX_DB, 10 * Math.log10(energy(original, from, PACKET) / noise)));
}

/** Where the first speech is in what was heard. @returns that, later by the part of a sample that fits best */
function anchor(original: Int16Array, start: number, heard: Int16Array, fractions: number) {
  const coarse = [thinned(original), thinned(heard)] as const;
  let [lag, best] = [0, 0];
  for (let at = -start / COARSE; at <= MAX_DELAY / COARSE; at++) {
    const alike = likeness(coarse[0], start / COARSE, ANCHOR / COARSE, coarse[1], start / COARSE + at);
    if (alike > best) [lag, best] = [at * COARSE, alike];
  }
  let result: { lag: number; samples: Float64Array; alike: number } = {
    lag,
    samples: Float64Array.from(heard),
    alike: 0,
  };
  for (let part = 0; part < fractions; part++) {
    const samples = delayed(heard, part / FRACTIONS);
    for (let near = lag - 2 * COARSE; near <= lag + 2 * COARSE; near++) {
      const alike = likeness(original, start, ANCHOR, samples, start + near);
      if (alike > result.alike) result = { lag: near, samples, alike };
    }
  }
  return result;
}

/** The delay of each block; undefined where it is not to be found. */
function blockLags(original: Int16Array, start: number, heard: Float64Array, first: number) {
  const coarse = [thinned(original), thinned(heard)] as const;
  let lag = first;
  let missed = 0;
  const lags: (number | undefined)[] = [];
  for (let at = start; at + BLOCK <= original.length; at += BLOCK) {
    const isLoud = energy(original, at, BLOCK) >= BLOCK * LOUD ** 2;
    let there: number | undefined = lag;
    if (isLoud && likeness(original, at, BLOCK, heard, at + lag) < ALIKE) {
      there = missed < MAX_MISSED ? search(original, at, heard, lag, coarse) : undefined;
    }
    if (isLoud) missed = there === undefined ? missed + 1 : 0;
    lags.push(there);
    lag = there ?? lag;
  }
  return lags;
}

function search(
  original: Int16Array,
  block: number,
  heard: Float64Array,
  lag: number,
  coarse: readonly [Float64Array, Float64Array],
): number | undefined {
  let [near, best] = [lag, 0];
  for (let at = lag - LESS; at <= lag + MORE; at += COARSE) {
    const alike = likeness(
      coarse[0],
      block / COARSE,
      BLOCK / COARSE,
      coarse[1],
      Math.floor((block + at) / COARSE),
    );
    if (alike > best) [near, best] = [at, alike];
  }
  let found: number | undefined;
  best = MUCH_ALIKE;
  for (let at = near - 2 * COARSE; at <= near + 2 * COARSE; at++) {
    const alike = likeness(original, block, BLOCK, heard, block + at);
    if (alike > best) [found, best] = [at, alike];
  }
  return found;
}

type Samples = Int16Array | Float64Array;

function energy(samples: Samples, from: number, length: number): number {
  let sum = 0;
  for (let i = from; i < from + length; i++) sum += (samples[i] ?? 0) ** 2;
  return sum;
}

/** -1 to 1. */
function likeness(original: Samples, from: number, length: number, heard: Samples, at: number): number {
  let product = 0;
  for (let i = 0; i < length; i++) product += (original[from + i] ?? 0) * (heard[at + i] ?? 0);
  return product / Math.sqrt(energy(original, from, length) * energy(heard, at, length) + 1);
}

const thinned = (samples: Samples): Float64Array =>
  Float64Array.from({ length: Math.floor(samples.length / COARSE) }, (_, i) => {
    const at = i * COARSE;
    return (samples[at]! + samples[at + 1]! + samples[at + 2]! + samples[at + 3]!) / COARSE;
  });

/** Later by a part of a sample: a sinc in a Hann window. */
function delayed(samples: Int16Array, fraction: number): Float64Array {
  if (fraction === 0) return Float64Array.from(samples);
  const taps = Float64Array.from({ length: 2 * REACH }, (_, k) => {
    const t = k - REACH + 1 - fraction;
    return (Math.sin(Math.PI * t) / (Math.PI * t)) * (0.5 + 0.5 * Math.cos((Math.PI * t) / REACH));
  });
  return Float64Array.from(samples, (_, i) => {
    let sum = 0;
    for (let k = 0; k < taps.length; k++) sum += taps[k]! * (samples[i - (k - REACH + 1)] ?? 0);
    return sum;
  });
}
