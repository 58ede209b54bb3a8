import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { G722Decoder, G722Encoder } from '../../src/audio/g722.ts';

/** Seeded, and all of whole numbers: the same everywhere. */
function numbers(count: number, next: (random: () => number, i: number) => number): Int16Array {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state;
  };
  return Int16Array.from({ length: count }, (_, i) => next(random, i));
}

const signals = {
  noise: numbers(64_000, (random) => random() >> 16),
  'a square wave at full scale': numbers(64_000, (_, i) => (i % 46 < 23 ? 32_767 : -32_768)),
  'faint noise': numbers(64_000, (random) => random() >> 27),
  'bursts of noise': numbers(64_000, (random, i) => (i % 4000 < 900 ? random() >> 16 : 0)),
};

function encode(samples: Int16Array, chunk = 320): Uint8Array {
  const encoder = new G722Encoder();
  const octets = new Uint8Array(samples.length / 2);
  for (let at = 0; at < samples.length; at += chunk) {
    const length = Math.min(chunk, samples.length - at);
    expect(encoder.encode(samples.subarray(at), length, octets, at / 2)).toBe(length / 2);
  }
  return octets;
}

function decode(octets: Uint8Array, chunk = 160): Int16Array {
  const decoder = new G722Decoder();
  const samples = new Int16Array(2 * octets.length);
  for (let at = 0; at < octets.length; at += chunk) {
    const length = Math.min(chunk, octets.length - at);
    expect(decoder.decode(octets, at, length, samples.subarray(2 * at))).toBe(2 * length);
  }
  return samples;
}

const digest = (values: Uint8Array | Int16Array): string =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex')
    .slice(0, 16);

/** What an implementation by others makes of the same. */
const expected: Record<keyof typeof signals, [encoded: string, decoded: string]> = {
  noise: ['d57ba28b5d93d986', '5800b3cade26585b'],
  'a square wave at full scale': ['4c6eed689d33f0e0', '3a698b3682e92954'],
  'faint noise': ['1896a4e273b76fe8', 'c985057791d14a00'],
  'bursts of noise': ['0fdebc3115332aef', '4ba2894d37391e03'],
};

describe('G.722', () => {
  test.each(Object.keys(signals) as (keyof typeof signals)[])('of %s is what the standard says', (name) => {
    const octets = encode(signals[name]);
    expect([digest(octets), digest(decode(octets))]).toEqual(expected[name]);
  });

  test('of any octets whatever is what the standard says', () => {
    const octets = Uint8Array.from(numbers(32_000, (random) => random() >> 24));
    expect(digest(decode(octets))).toBe('3a9e4bb950ff0350');
  });

  test.each([2, 30, 160, 962])('is the same in chunks of %i samples', (chunk) => {
    const samples = signals.noise.subarray(0, 9620);
    expect(encode(samples, chunk)).toEqual(encode(samples));
    expect(decode(encode(samples), chunk / 2)).toEqual(decode(encode(samples)));
  });

  test.each([300, 1000, 3000, 5500, 6800])('passes %i Hz at its level, 22 samples later', (hz) => {
    const tone = Int16Array.from(
      { length: 16_000 },
      (_, i) => 8000 * Math.sin((2 * Math.PI * hz * i) / 16_000),
    );
    const heard = decode(encode(tone));
    let [power, error] = [0, 0];
    for (let i = 1000; i < heard.length; i++) {
      power += (tone[i - 22] as number) ** 2;
      error += ((heard[i] as number) - (tone[i - 22] as number)) ** 2;
    }
    expect(10 * Math.log10(power / error)).toBeGreaterThan(hz < 4000 ? 25 : 12);
  });

  test('of silence is silence', () => {
    expect(Math.max(...decode(encode(new Int16Array(3200))).map(Math.abs))).toBeLessThan(8);
  });
});
