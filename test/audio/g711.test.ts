import { expect, test } from 'vitest';
import {
  ALAW_SILENCE,
  alawOfMulaw,
  alawToLinear,
  linearToAlaw,
  linearToMulaw,
  MULAW_SILENCE,
  mulawOfAlaw,
  mulawToLinear,
  translate,
} from '../../src/audio/g711.ts';

const allCodes = Uint8Array.from({ length: 256 }, (_, i) => i);
const mulaw = (sample: number): number => linearToMulaw(Int16Array.of(sample))[0] as number;
const alaw = (sample: number): number => linearToAlaw(Int16Array.of(sample))[0] as number;

/** Table 2a of G.711: decision values x1 to x128 of mu-law, 14 bits: 1, 3 … 31, 35 … 95, 103 … 8159. */
function mulawDecisions(): number[] {
  const values = [1];
  for (let segment = 0; values.length < 128; segment++) {
    const steps = segment === 0 ? 15 : 16;
    for (let i = 0; i < steps; i++) values.push((values.at(-1) as number) + (2 << segment));
  }
  return values;
}

/** Table 1a: decision values x1 to x128 of A-law, 13 bits: 2, 4 … 64, 68 … 4096. */
function alawDecisions(): number[] {
  const values = [2];
  for (let segment = 0; values.length < 128; segment++) {
    const steps = segment === 0 ? 31 : 16;
    for (let i = 0; i < steps; i++) values.push((values.at(-1) as number) + (2 << segment));
  }
  return values;
}

test('the decision values end where the standard says', () => {
  expect(mulawDecisions().slice(14, 18)).toEqual([29, 31, 35, 39]);
  expect(mulawDecisions()[127]).toBe(8159);
  expect(alawDecisions().slice(30, 34)).toEqual([62, 64, 68, 72]);
  expect(alawDecisions()[127]).toBe(4096);
});

test('mu-law changes its code at every decision value of the standard', () => {
  mulawDecisions()
    .slice(0, 127)
    .forEach((decision, n) => {
      const sample = decision * 4;
      expect(mulaw(sample - 1), `below x${n + 1}`).toBe(0xff - n);
      expect(mulaw(sample), `x${n + 1}`).toBe(0xff - (n + 1));
      expect(mulaw(-sample), `-x${n + 1}`).toBe(0x7f - (n + 1));
    });
  expect(mulaw(32_767)).toBe(0x80);
  expect(mulaw(-32_768)).toBe(0x00);
});

test('A-law changes its code at every decision value of the standard', () => {
  alawDecisions()
    .slice(0, 127)
    .forEach((decision, n) => {
      const sample = decision * 8;
      expect(alaw(sample - 1) ^ 0x55, `below x${n + 1}`).toBe(0x80 + n);
      expect(alaw(sample) ^ 0x55, `x${n + 1}`).toBe(0x80 + n + 1);
      expect(alaw(-sample - 1) ^ 0x55, `below -x${n + 1}`).toBe(n + 1);
    });
  expect(alaw(32_767) ^ 0x55).toBe(0xff);
  expect(alaw(-32_768) ^ 0x55).toBe(0x7f);
});

test('decoded values are those of the standard', () => {
  // Tables 2a and 1a, column 8: y1, y2 … y128.
  expect(mulawToLinear(Uint8Array.of(0xff, 0xfe, 0xf0, 0xef, 0x80)).map((v) => v / 4)).toEqual(
    Int16Array.of(0, 2, 30, 33, 8031),
  );
  expect(alawToLinear(Uint8Array.of(0xd5, 0xd4, 0xf5, 0xaa)).map((v) => v / 8)).toEqual(
    Int16Array.of(1, 3, 66, 4032),
  );
});

test('every code survives decoding and encoding', () => {
  // Mu-law has two zeros; the negative one becomes the positive.
  const expected = allCodes.map((code) => (code === 0x7f ? 0xff : code));
  expect(linearToMulaw(mulawToLinear(allCodes))).toEqual(expected);
  expect(linearToAlaw(alawToLinear(allCodes))).toEqual(allCodes);
});

test('silence is silence in both laws', () => {
  expect(mulaw(0)).toBe(MULAW_SILENCE);
  expect(alaw(0)).toBe(ALAW_SILENCE);
  expect(alawOfMulaw[MULAW_SILENCE]).toBe(ALAW_SILENCE);
  // A-law has no zero: its smallest value, 8 of 32768, is mu-law's second smallest.
  expect(mulawOfAlaw[ALAW_SILENCE]).toBe(MULAW_SILENCE - 1);
});

test('one law becomes the nearest value of the other, with its sign', () => {
  const linear = mulawToLinear(allCodes);
  const through = alawToLinear(allCodes.map((code) => alawOfMulaw[code] as number));
  linear.forEach((value, code) => {
    // Half a step of A-law: 8 near zero, 1/32 of the value above.
    expect(Math.abs((through[code] as number) - value)).toBeLessThanOrEqual(
      Math.max(16, Math.abs(value) / 31),
    );
    if (value !== 0) expect(Math.sign(through[code] as number)).toBe(Math.sign(value));
  });
});

test('translate rewrites only the part it is given', () => {
  const packet = Uint8Array.of(1, 0xff, 0xff, 1);
  translate(packet, alawOfMulaw, 1, 2);
  expect([...packet]).toEqual([1, 0xd5, 0xd5, 1]);
});
