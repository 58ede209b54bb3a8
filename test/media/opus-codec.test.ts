import { createEncoder, type EncoderOptions, getPacketInfo } from 'libopus-wasm';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SampleRate } from '../../src/audio/format.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { loadOpus, OpusDecoder, OpusEncoder } from '../../src/media/opus-codec.ts';
import { opusPacketMs } from '../../src/media/opus-packet.ts';
import { defaultOpusSettings, type OpusSettings } from '../../src/media/opus-settings.ts';
import { readWav, speechFile } from '../support/wav.ts';

const rates: readonly SampleRate[] = [8000, 16_000, 24_000, 48_000];
const speech = readWav(speechFile);

beforeAll(loadOpus);

const tone = (seconds: number, rate: number, hz = 440): Int16Array =>
  Int16Array.from({ length: seconds * rate }, (_, i) => 8000 * Math.sin((2 * Math.PI * hz * i) / rate));

async function encode(
  samples: Int16Array,
  rate: SampleRate,
  settings: Partial<OpusSettings> = {},
  ms = 20,
): Promise<Uint8Array[]> {
  const encoder = new OpusEncoder(rate, { ...defaultOpusSettings, ...settings });
  await encoder.ready;
  const length = (rate * ms) / 1000;
  const packets: Uint8Array[] = [];
  const packet = new Uint8Array(1300);
  for (let at = 0; at + length <= samples.length; at += length) {
    packets.push(packet.slice(7, 7 + encoder.encode(samples.subarray(at), length, packet, 7)));
  }
  encoder.close();
  return packets;
}

async function makeDecoder(rate: SampleRate): Promise<OpusDecoder> {
  const decoder = new OpusDecoder(rate);
  await decoder.ready;
  return decoder;
}

/** Decodes; a packet that is undefined was lost, and is made up from the next one unless `alone`. */
async function decode(
  packets: readonly (Uint8Array | undefined)[],
  rate: SampleRate,
  { alone = false } = {},
): Promise<Int16Array> {
  const decoder = await makeDecoder(rate);
  const length = rate / 50;
  const out = new Int16Array(packets.length * length);
  let lost = 0;
  packets.forEach((packet, n) => {
    if (!packet || alone) {
      if (!packet) lost++;
    }
    if (!packet && alone) decoder.conceal(out.subarray(n * length), length);
    if (!packet) return;
    expect(decoder.take(packet, 0, packet.length)).toBe(length);
    if (lost > 0 && !alone) decoder.conceal(out.subarray((n - lost) * length), lost * length);
    lost = 0;
    decoder.decode(out.subarray(n * length));
  });
  decoder.close();
  return out;
}

const decibels = (power: number): number => 10 * Math.log10(power);

function level(samples: Int16Array, hz: number, rate: number): number {
  const part = samples.subarray(-rate / 2);
  let [sine, cosine] = [0, 0];
  part.forEach((sample, i) => {
    sine += sample * Math.sin((2 * Math.PI * hz * i) / rate);
    cosine += sample * Math.cos((2 * Math.PI * hz * i) / rate);
  });
  return decibels((4 * (sine ** 2 + cosine ** 2)) / part.length ** 2 / 8000 ** 2);
}

describe('Opus', () => {
  test.each(rates)('at %i Hz comes out as it went in, whatever the packet length', async (rate) => {
    for (const ms of [10, 20]) {
      const packets = await encode(tone(1, rate), rate, {}, ms);
      const decoder = await makeDecoder(rate);
      const out = new Int16Array(rate);
      packets.forEach((packet, n) => {
        const length = (rate * ms) / 1000;
        expect(opusPacketMs(packet, 0, packet.length)).toBe(ms);
        expect(decoder.take(packet, 0, packet.length)).toBe(length);
        expect(decoder.decode(out.subarray(n * length))).toBe(length);
      });
      expect(Math.abs(level(out, 440, rate))).toBeLessThan(1);
    }
  });

  test.each(rates)('of a peer is decoded at %i Hz, mono and stereo, 10 to 60 ms', async (rate) => {
    for (const [channels, ms] of [
      [1, 60],
      [2, 10],
      [2, 20],
      [2, 40],
    ] as const) {
      const options: EncoderOptions = { channels, sampleRate: 48_000, frameSize: 48 * ms };
      const encoder = await createEncoder(options);
      const mono = tone(1.2, 48_000);
      const input = new Int16Array(mono.length * channels);
      mono.forEach((sample, i) => {
        input.fill(sample, i * channels, (i + 1) * channels);
      });
      const decoder = await makeDecoder(rate);
      const length = (rate * ms) / 1000;
      const out = new Int16Array(1.2 * rate);
      for (let n = 0; n < 1200 / ms; n++) {
        const packet = encoder.encode(input.subarray(n * 48 * ms * channels, (n + 1) * 48 * ms * channels));
        expect(decoder.take(packet, 0, packet.length)).toBe(length);
        expect(decoder.decode(out.subarray(n * length))).toBe(length);
      }
      expect(Math.abs(level(out, 440, rate))).toBeLessThan(1);
      encoder.free();
      decoder.close();
    }
  });

  test('takes what is lost from the packet after it where the peer sends copies', async () => {
    const wide = new Resampler(8000, 16_000).process(speech).slice();
    const packets = await encode(wide, 16_000, { inbandFec: true });
    const whole = await decode(packets, 16_000);
    const lossy = packets.map((packet, n) => (n > 5 && n % 10 === 7 ? undefined : packet));
    const recovered = await decode(lossy, 16_000);
    const madeUp = await decode(lossy, 16_000, { alone: true });
    const distance = (heard: Int16Array): number => {
      let [power, error] = [0, 0];
      for (let n = 7; n < packets.length; n += 10) {
        for (let i = n * 320; i < (n + 1) * 320; i++) {
          power += (whole[i] as number) ** 2;
          error += ((whole[i] as number) - (heard[i] as number)) ** 2;
        }
      }
      return decibels(power / error);
    };
    expect(distance(recovered)).toBeGreaterThan(6);
    expect(distance(recovered)).toBeGreaterThan(distance(madeUp) + 3);
  });

  test('makes up any length, and nothing out of nothing', async () => {
    const decoder = await makeDecoder(8000);
    const out = new Int16Array(2000).fill(5);
    decoder.conceal(out, 1920);
    expect(out.subarray(0, 1920).every((sample) => sample === 0)).toBe(true);
    expect(out[1920]).toBe(5);
    const [packet] = (await encode(tone(0.4, 8000), 8000)).slice(-1) as [Uint8Array];
    for (const length of [1, 19, 160, 960, 1200, 1920]) {
      out.fill(5);
      decoder.take(packet, 0, packet.length);
      decoder.conceal(out, length);
      expect(out[length]).toBe(5);
      expect(decoder.decode(out)).toBe(160);
    }
  });

  test('is not upset by what is no Opus', async () => {
    const decoder = await makeDecoder(8000);
    const out = new Int16Array(1920);
    let state = 1;
    for (let n = 0; n < 2000; n++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const bytes = Uint8Array.from({ length: state % 40 }, (_, i) => (state >> (i % 13)) & 0xff);
      const samples = decoder.take(bytes, 0, bytes.length);
      expect(samples).toBeLessThanOrEqual(960);
      if (samples === 0) continue;
      if (n % 3 === 0) decoder.conceal(out, 160);
      expect(decoder.decode(out)).toBe(samples);
    }
  });

  test('that is closed before it is there, twice, or used afterwards does nothing', async () => {
    const decoder = new OpusDecoder(8000);
    const encoder = new OpusEncoder(8000, defaultOpusSettings);
    for (const codec of [decoder, encoder]) {
      codec.close();
      await codec.ready;
      codec.close();
    }
    const out = new Int16Array(160).fill(5);
    expect(encoder.encode(out, 160, new Uint8Array(1300), 0)).toBe(0);
    expect(decoder.take(Uint8Array.of(8), 0, 1)).toBe(160);
    expect(decoder.decode(out)).toBe(160);
    expect(out.every((sample) => sample === 0)).toBe(true);
  });
});

describe('what the peer wants of our Opus', () => {
  const size = (packets: Uint8Array[]): number => packets.reduce((sum, packet) => sum + packet.length, 0);
  /** Speech, and then two seconds of silence. */
  const withPause = Int16Array.from([...speech, ...new Int16Array(16_000)]);

  test('a lower bitrate', async () => {
    const normal = size(await encode(speech, 8000));
    const low = size(await encode(speech, 8000, { maxAverageBitrate: 8000 }));
    expect(low).toBeLessThan(normal / 2);
    expect((low * 8) / (speech.length / 8000)).toBeLessThan(9000);
  });

  test('a constant bitrate', async () => {
    const sizes = new Set((await encode(speech, 8000, { constantBitrate: true })).map((one) => one.length));
    expect(sizes.size).toBe(1);
  });

  test.each([
    [8000, 1101],
    [12_000, 1102],
    [16_000, 1103],
    [24_000, 1104],
  ])('no more than it can play at %i Hz', async (maxPlaybackRateHz, bandwidth) => {
    const noise = Int16Array.from({ length: 48_000 }, (_, i) => ((i * 7919) % 16_001) - 8000);
    const packets = await encode(noise, 48_000, { maxPlaybackRateHz });
    for (const packet of packets)
      expect((await getPacketInfo(packet)).bandwidth).toBeLessThanOrEqual(bandwidth);
  });

  test('silence in pauses (DTX), only when it asks', async () => {
    const always = await encode(withPause, 8000);
    expect(always.every((packet) => packet.length > 2)).toBe(true);
    const asked = await encode(withPause, 8000, { dtx: true });
    const pause = asked.slice(-75);
    const sent = pause.filter((packet) => packet.length > 0).length;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(10);
  });
});

test.each([
  ['SILK 10 ms', [0 << 3, 0], 10],
  ['SILK 60 ms', [3 << 3, 0], 60],
  ['hybrid 20 ms', [13 << 3, 0], 20],
  ['CELT 2.5 ms', [16 << 3, 0], 2.5],
  ['CELT 20 ms, stereo', [(31 << 3) | 4, 0], 20],
  ['two frames', [(31 << 3) | 1, 0], 40],
  ['six frames', [(31 << 3) | 3, 6], 120],
  ['too many frames', [(31 << 3) | 3, 7], 0],
  ['no frames', [(31 << 3) | 3, 0], 0],
  ['a number of frames that is missing', [(31 << 3) | 3], 0],
  ['nothing', [], 0],
])('an Opus packet of %s', (_, bytes, ms) => {
  expect(opusPacketMs(Uint8Array.of(9, ...bytes), 1, bytes.length)).toBe(ms);
});
