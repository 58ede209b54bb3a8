import { describe, expect, test } from 'vitest';
import { decode, encode } from './g711.ts';

const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);

describe('the phone’s own G.711', () => {
  test('has the values of the standard at its corners', () => {
    expect([...decode('PCMU', Uint8Array.of(0xff, 0x7f, 0x80, 0x00))]).toEqual([0, 0, 32_124, -32_124]);
    expect([...decode('PCMA', Uint8Array.of(0xd5, 0x55, 0xaa, 0x2a))]).toEqual([8, -8, 32_256, -32_256]);
  });

  test('gives every byte back that it decoded; mu-law has two for zero', () => {
    const muLaw = [...encode('PCMU', decode('PCMU', everyByte))];
    expect(muLaw).toEqual([...everyByte].map((byte) => (byte === 0x7f ? 0xff : byte)));
    expect([...encode('PCMA', decode('PCMA', everyByte))]).toEqual([...everyByte]);
  });

  test.each(['PCMU', 'PCMA'] as const)('%s is off by half a step at most, at every sample', (codec) => {
    const samples = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);
    const back = decode(codec, encode(codec, samples));
    const clipped = (sample: number) => Math.max(-32_124, Math.min(32_124, sample));
    const worst = samples.reduce((max, sample, i) => {
      const error = Math.abs(clipped(sample) - clipped(back[i]!)) - Math.abs(sample) / 32;
      return Math.max(max, error);
    }, 0);
    expect(worst).toBeLessThanOrEqual(12);
  });
});
