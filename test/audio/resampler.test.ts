import { expect, test } from 'vitest';
import { Resampler } from '../../src/audio/resampler.ts';

const RATES = [8000, 16_000, 24_000, 48_000];
const pairs = RATES.flatMap((from) => RATES.filter((to) => to !== from).map((to) => [from, to] as const));
const AMPLITUDE = 20_000;

const tone = (hz: number, rate: number, seconds: number): Int16Array =>
  Int16Array.from({ length: rate * seconds }, (_, i) => AMPLITUDE * Math.sin((2 * Math.PI * hz * i) / rate));

const decibels = (power: number): number => 10 * Math.log10(power / (AMPLITUDE ** 2 / 2));

/** Power of what is at `hz`, and of all the rest, in one second without the filter's start. */
function measure(hz: number, from: number, to: number): { signal: number; rest: number } {
  const output = new Resampler(from, to).process(tone(hz, from, 1.5)).subarray(-to);
  let sine = 0;
  let cosine = 0;
  let total = 0;
  output.forEach((sample, i) => {
    sine += sample * Math.sin((2 * Math.PI * hz * i) / to);
    cosine += sample * Math.cos((2 * Math.PI * hz * i) / to);
    total += sample * sample;
  });
  const signal = (2 * (sine ** 2 + cosine ** 2)) / to ** 2;
  return { signal, rest: Math.max(1e-9, total / to - signal) };
}

test.each(pairs)('%i to %i Hz: speech passes, images and aliases are more than 60 dB down', (from, to) => {
  const lower = Math.min(from, to);
  for (const share of [0.0125, 0.125, 0.25, 0.375, 0.42]) {
    const { signal, rest } = measure(Math.round(share * lower), from, to);
    expect(Math.abs(decibels(signal)), `level at ${share * lower} Hz`).toBeLessThan(0.1);
    expect(decibels(rest), `images of ${share * lower} Hz`).toBeLessThan(-60);
  }
  for (let hz = Math.ceil(0.53 * lower); hz < from / 2; hz += 331) {
    const { signal, rest } = measure(hz, from, to);
    expect(decibels(signal + rest), `aliases of ${hz} Hz`).toBeLessThan(-60);
  }
});

test.each(pairs)('%i to %i Hz: the cut into chunks makes no difference', (from, to) => {
  const input = tone(440, from, 0.5);
  const whole = new Resampler(from, to).process(input);
  const resampler = new Resampler(from, to);
  const pieces: number[] = [];
  for (let at = 0, length = 1; at < input.length; at += length, length = (length * 7 + 3) % 1013) {
    pieces.push(...resampler.process(input.subarray(at, at + length)));
  }
  expect(Int16Array.from(pieces)).toEqual(whole);
  expect(whole.length).toBe((input.length * to) / from);
});

test('the loudest input does not wrap around', () => {
  const square = Int16Array.from({ length: 4800 }, (_, i) => (i % 60 < 30 ? 32_767 : -32_768));
  const output = new Resampler(24_000, 8000).process(square);
  for (let i = 40; i < output.length; i++) {
    const expected = square[Math.max(0, i * 3 - 60)] as number;
    if (Math.abs(output[i] as number) > 20_000)
      expect(Math.sign(output[i] as number)).toBe(Math.sign(expected));
  }
});

test('an equal rate copies, an empty chunk gives nothing, other rates are refused', () => {
  const input = Int16Array.of(1, -2, 3);
  expect(new Resampler(8000, 8000).process(input)).toEqual(input);
  expect(new Resampler(8000, 16_000).process(new Int16Array(0))).toHaveLength(0);
  expect(() => new Resampler(8000, 44_100)).toThrow(/44100 Hz/);
});
