import { expect, test } from 'vitest';
import { Comparison, PACKET } from './speech-quality.ts';
import { readWav, speechFile } from './wav.ts';

const speech = readWav(speechFile);

/** What was played, later by so many samples. */
function later(samples: number, original = speech): Int16Array {
  const heard = new Int16Array(original.length + samples);
  heard.set(original, samples);
  return heard;
}

/** dB of all packets that can be judged. */
function judgeAll(heard: Int16Array, packets = Array.from({ length: 220 }, (_, n) => n + 5)): number[] {
  const comparison = new Comparison(speech, { samples: heard, spoilt: new Uint8Array(heard.length) }, 'PCMU');
  return packets.flatMap((n) => comparison.judge(n) ?? []);
}

test('what comes back as it was is perfect, whatever the delay', () => {
  const found = judgeAll(later(2345));
  expect(found.length).toBeGreaterThan(80);
  expect(new Set(found)).toEqual(new Set([35]));
});

test('a delay of parts of a sample is found too', () => {
  const heard = later(800).map((sample, i, all) => (sample + (all[i + 1] ?? 0)) / 2);
  const comparison = new Comparison(speech, { samples: heard, spoilt: new Uint8Array(heard.length) }, 'opus');
  const found = Array.from({ length: 200 }, (_, n) => comparison.judge(n + 5) ?? []).flat();
  // The mean of two neighbours is what lies between them, but for the highest frequencies.
  expect(found.toSorted((a, b) => a - b)[found.length >> 1]).toBeGreaterThan(15);
});

test('zeros in place of packets are 0 dB', () => {
  const zeros = later(500);
  const lost = [20, 40, 41, 60, 100, 120, 121, 150, 170, 190];
  for (const n of lost) zeros.fill(0, 500 + n * PACKET, 500 + (n + 1) * PACKET);
  const found = judgeAll(zeros, lost);
  expect(found.length).toBeGreaterThan(3);
  for (const db of found) expect(Math.abs(db)).toBeLessThan(0.01);
});

test('silence in between moves the delay, and what is next to it is left out rather than judged wrongly', () => {
  const at = 16_000;
  const heard = new Int16Array(speech.length + 4000);
  heard.set(speech.subarray(0, at));
  heard.set(speech.subarray(at), at + 4000);
  const found = judgeAll(heard);
  expect(found.length).toBeGreaterThan(70);
  expect(found.filter((db) => db < 35).length).toBeLessThanOrEqual(1);
});

test('what the way back has spoilt is not judged, nor is silence', () => {
  const spoilt = new Uint8Array(speech.length).fill(1, 8000, 16_000);
  const comparison = new Comparison(speech, { samples: speech, spoilt }, 'PCMU');
  for (let n = 50; n < 100; n++) expect(comparison.judge(n)).toBeUndefined();
  expect(comparison.judge(1)).toBeUndefined();
});
