import { describe, expect, test } from 'vitest';
import { type AudioFormat, bytesPerSample, MULAW_8K } from '../../src/audio/format.ts';
import { alaw, expand, linearToAlaw, linearToMulaw, mulaw } from '../../src/audio/g711.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { CodecName } from '../../src/config/codecs.ts';
import { InboundAudio } from '../../src/media/inbound-audio.ts';
import { OutboundAudio } from '../../src/media/outbound-audio.ts';
import { createReceiveChain } from '../../src/media/receive-chain.ts';
import { createSendChain } from '../../src/media/send-chain.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';

const encodings = ['mulaw', 'alaw', 'pcm_16'] as const;
const rates = [8000, 16_000, 24_000, 48_000] as const;
const formats: AudioFormat[] = encodings.flatMap((encoding) =>
  rates.map((sampleRateHz) => ({ encoding, sampleRateHz })),
);
const g711: CodecName[] = ['PCMU', 'PCMA'];
const pairs = g711.flatMap((codec) =>
  formats.map((format) => [codec, format.encoding, format.sampleRateHz] as const),
);

const AMPLITUDE = 8000;
const tone = (seconds: number, rate: number): Int16Array =>
  Int16Array.from({ length: seconds * rate }, (_, i) => AMPLITUDE * Math.sin((2 * Math.PI * 400 * i) / rate));

/** Samples out of what a ring holds, and what a ring holds out of samples. */
function fromFormat(bytes: Uint8Array, { encoding }: AudioFormat): Int16Array {
  if (encoding === 'pcm_16') return new Int16Array(bytes.slice().buffer);
  const samples = new Int16Array(bytes.length);
  expand(encoding === 'mulaw' ? mulaw : alaw, bytes, 0, bytes.length, samples);
  return samples;
}

function toFormat(samples: Int16Array, { encoding }: AudioFormat): Uint8Array {
  if (encoding === 'mulaw') return linearToMulaw(samples);
  if (encoding === 'alaw') return linearToAlaw(samples);
  return new Uint8Array(samples.slice().buffer);
}

/** dB of all that is not the tone, below the tone, after the filters have filled. */
function noiseBelow(samples: Int16Array, rate: number): number {
  const part = samples.subarray(samples.length - rate / 2);
  let [sine, cosine, total] = [0, 0, 0];
  part.forEach((sample, i) => {
    sine += sample * Math.sin((2 * Math.PI * 400 * i) / rate);
    cosine += sample * Math.cos((2 * Math.PI * 400 * i) / rate);
    total += sample * sample;
  });
  const signal = (2 * (sine ** 2 + cosine ** 2)) / part.length;
  expect(Math.abs(10 * Math.log10(signal / part.length / (AMPLITUDE ** 2 / 2)))).toBeLessThan(0.25);
  return 10 * Math.log10(signal / Math.max(1, total - signal));
}

function received(codec: CodecName, format: AudioFormat, payloads: Uint8Array[]): Int16Array {
  const ring = AudioRing.create(262_144);
  const chain = createReceiveChain(codec, new InboundAudio(ring, format, StatsBlock.create()));
  for (const payload of payloads) {
    expect(chain.take(payload, 0, payload.length)).toBe(format.sampleRateHz / 50);
    chain.write();
  }
  chain.close();
  const bytes = new Uint8Array(ring.readable);
  ring.read(bytes);
  return fromFormat(bytes, format);
}

const packets = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / 160 }, (_, n) => bytes.slice(n * 160, (n + 1) * 160));

describe('receiving', () => {
  test.each(pairs)('%s into %s at %i Hz is the same sound', (codec, encoding, sampleRateHz) => {
    const encode = codec === 'PCMU' ? linearToMulaw : linearToAlaw;
    const samples = received(codec, { encoding, sampleRateHz }, packets(encode(tone(1, 8000))));
    expect(samples).toHaveLength(sampleRateHz);
    // G.711 has about 38 dB, twice over where the ring is G.711 too.
    expect(noiseBelow(samples, sampleRateHz)).toBeGreaterThan(34);
  });

  test.each([
    ['PCMU', 'mulaw', linearToMulaw],
    ['PCMA', 'alaw', linearToAlaw],
  ] as const)('%s into %s is a straight copy', (codec, encoding, encode) => {
    const bytes = encode(tone(1, 8000));
    const format: AudioFormat = { encoding, sampleRateHz: 8000 };
    expect(toFormat(received(codec, format, packets(bytes)), format)).toEqual(bytes);
  });

  test.each(formats)('a loss is made up, and a pause filled, in %o', (format) => {
    const ring = AudioRing.create(262_144);
    const inbound = new InboundAudio(ring, format, StatsBlock.create());
    const chain = createReceiveChain('PCMU', inbound);
    const speech = packets(linearToMulaw(tone(0.2, 8000)));
    const length = format.sampleRateHz / 50;
    for (const [n, payload] of speech.entries()) {
      if (n === 4) continue;
      chain.take(payload, 0, 160);
      if (n === 5) chain.conceal(length);
      chain.write();
    }
    chain.pause(3 * length, undefined);
    const bytes = new Uint8Array(ring.readable);
    ring.read(bytes);
    const samples = fromFormat(bytes, format);
    expect(samples).toHaveLength(13 * length);
    expect(inbound.position).toBe(13 * length);
    const loudest = Math.max(...samples.subarray(4 * length, 5 * length));
    expect(loudest).toBeGreaterThan(0.9 * AMPLITUDE);
    expect(loudest).toBeLessThan(1.1 * AMPLITUDE);
    expect(samples.subarray(10 * length + 8).every((sample) => Math.abs(sample) <= 8)).toBe(true);
  });

  test.each(formats)('quiet and loud are told apart in %o', (format) => {
    const inbound = new InboundAudio(AudioRing.create(8192), format, StatsBlock.create());
    const chain = createReceiveChain('PCMA', inbound);
    chain.take(linearToAlaw(new Int16Array(160).fill(90)), 0, 160);
    expect(chain.isQuiet()).toBe(true);
    chain.drop();
    chain.take(linearToAlaw(Int16Array.from({ length: 160 }, (_, i) => (i === 100 ? 400 : 0))), 0, 160);
    expect(chain.isQuiet()).toBe(false);
    expect(inbound.position).toBe(0);
  });
});

function sent(codec: CodecName, format: AudioFormat, samples: Int16Array, packetMs: number): Uint8Array {
  const ring = AudioRing.create(262_144);
  ring.write(toFormat(samples, format));
  const chain = createSendChain(codec, packetMs, new OutboundAudio(ring, format));
  const packet = new Uint8Array(12 + chain.maxPayloadBytes);
  const payloads: Uint8Array[] = [];
  for (let ms = 0; ms < 1000; ms += packetMs) {
    const length = chain.next(packet, 12, true);
    expect(chain.played).toBe((format.sampleRateHz * packetMs) / 1000);
    payloads.push(packet.slice(12, 12 + length));
  }
  chain.close();
  return Buffer.concat(payloads);
}

describe('sending', () => {
  test.each(pairs)('%s from %s at %i Hz is the same sound', (codec, encoding, sampleRateHz) => {
    const bytes = sent(codec, { encoding, sampleRateHz }, tone(1, sampleRateHz), 20);
    expect(bytes).toHaveLength(8000);
    const samples = fromFormat(bytes, { encoding: codec === 'PCMU' ? 'mulaw' : 'alaw', sampleRateHz: 8000 });
    expect(noiseBelow(samples, 8000)).toBeGreaterThan(34);
  });

  test.each([5, 10, 20])('packets of %i ms are cut without a seam', (packetMs) => {
    const speech = tone(1, 8000);
    expect(Buffer.from(linearToMulaw(speech)).equals(sent('PCMU', MULAW_8K, speech, packetMs))).toBe(true);
  });

  test.each(formats)('what %o cannot fill is silence, and says so', (format) => {
    const ring = AudioRing.create(8192);
    const half = format.sampleRateHz / 100;
    ring.write(toFormat(tone(0.01, format.sampleRateHz), format));
    const chain = createSendChain('PCMA', 20, new OutboundAudio(ring, format));
    const packet = new Uint8Array(chain.maxPayloadBytes);
    expect(chain.next(packet, 0, true)).toBe(160);
    expect(chain.played).toBe(half);
    expect(packet.subarray(0, 80).some((byte) => byte !== 0xd5)).toBe(true);
    // A resampler rings on for 5 ms.
    expect(packet.subarray(120, 160).every((byte) => byte === 0xd5 || byte === 0x55)).toBe(true);
    ring.write(new Uint8Array(1000 * bytesPerSample(format)).fill(0x22));
    expect(chain.next(packet, 0, false)).toBe(160);
    expect(chain.played).toBe(0);
    chain.skip();
    expect(chain.played).toBe(Math.min(1000, 2 * half));
  });
});
