import { describe, expect, test } from 'vitest';
import { ComfortNoise } from '../../src/audio/comfort-noise.ts';

function noise(...payload: number[]): Int16Array {
  const comfortNoise = new ComfortNoise();
  // A payload stands somewhere in a packet.
  comfortNoise.update(Uint8Array.of(99, 99, ...payload), 2, payload.length);
  const samples = new Int16Array(80_000);
  comfortNoise.fill(samples, samples.length);
  return samples;
}

const power = (samples: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] as number) ** 2;
  return sum / samples.length;
};

/** dBov: against a square wave at full scale (RFC 3389 §3.1). */
const level = (samples: Int16Array): number => 10 * Math.log10(power(samples) / 32_768 ** 2);

/** How alike neighbours are: 0 for white noise, near 1 when it is dull, near -1 when it is shrill. */
function neighbours(samples: Int16Array): number {
  let sum = 0;
  for (let i = 1; i < samples.length; i++) sum += (samples[i] as number) * (samples[i - 1] as number);
  return sum / samples.length / power(samples);
}

describe('comfort noise', () => {
  test.each([20, 35, 50, 65])('of level %i is so far below full scale', (octet) => {
    expect(Math.abs(level(noise(octet)) + octet)).toBeLessThan(0.5);
  });

  test('of level 127, and of an empty payload, is silence', () => {
    expect(noise(127).every((sample) => sample === 0)).toBe(true);
    expect(noise().every((sample) => sample === 0)).toBe(true);
  });

  test('keeps its level whatever its spectrum', () => {
    expect(Math.abs(level(noise(40, 20, 200, 90)) + 40)).toBeLessThan(0.5);
  });

  test('without coefficients is white', () => {
    expect(Math.abs(neighbours(noise(40)))).toBeLessThan(0.02);
  });

  test.each([
    [27, 0.787],
    [227, -0.787],
    [127, 0],
    [255, 0],
  ])('with a first coefficient of %i has neighbours alike by %f', (index, alike) => {
    expect(neighbours(noise(40, index))).toBeCloseTo(alike, 1);
  });

  test('goes on from one piece to the next, and takes a new description at once', () => {
    const comfortNoise = new ComfortNoise();
    comfortNoise.update(Uint8Array.of(30), 0, 1);
    const loud = new Int16Array(8000);
    for (let at = 0; at < loud.length; at += 160) comfortNoise.fill(loud.subarray(at), 160);
    comfortNoise.update(Uint8Array.of(60), 0, 1);
    const quiet = new Int16Array(8000);
    comfortNoise.fill(quiet, quiet.length);
    expect(Math.abs(level(loud) + 30)).toBeLessThan(0.5);
    expect(Math.abs(level(quiet) + 60)).toBeLessThan(0.5);
    expect(loud.subarray(0, 160)).not.toEqual(loud.subarray(160, 320));
  });

  test('survives the worst coefficients', () => {
    expect(noise(0, ...Array(40).fill(0)).every(Number.isFinite)).toBe(true);
    expect(noise(0, ...Array(40).fill(254)).some((sample) => sample !== 0)).toBe(true);
  });
});
