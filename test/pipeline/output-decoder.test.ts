import { describe, expect, test } from 'vitest';
import type { Encoding, SampleRate } from '../../src/audio/format.ts';
import { linearToAlaw, linearToMulaw, mulawToLinear } from '../../src/audio/g711.ts';
import { OutputDecoder } from '../../src/pipeline/output-decoder.ts';
import { speech } from './link-fixture.ts';

const rates: readonly SampleRate[] = [8000, 16_000, 24_000, 48_000];

/** A tone of 440 Hz at half scale. */
function tone(sampleRateHz: number, seconds: number): Int16Array {
  return Int16Array.from({ length: sampleRateHz * seconds }, (_, i) =>
    Math.round(16_000 * Math.sin((2 * Math.PI * 440 * i) / sampleRateHz)),
  );
}

function encode(samples: Int16Array, encoding: Encoding): Buffer {
  if (encoding === 'mulaw') return Buffer.from(linearToMulaw(samples));
  if (encoding === 'alaw') return Buffer.from(linearToAlaw(samples));
  const bytes = Buffer.alloc(samples.length * 2);
  for (const [i, sample] of samples.entries()) bytes.writeInt16LE(sample, i * 2);
  return bytes;
}

function decode(decoder: OutputDecoder, encoding: Encoding, sampleRateHz: SampleRate, bytes: Buffer): Buffer {
  const audio = decoder.decode({ encoding, sampleRateHz, payload: bytes.toString('base64') });
  expect(audio).toBeDefined();
  return Buffer.from(audio!);
}

/** How much of a signal is the tone of 440 Hz: 1 = nothing else. */
function purity(samples: Int16Array): number {
  let [re, im, energy] = [0, 0, 0];
  for (const [i, sample] of samples.entries()) {
    re += sample * Math.cos((2 * Math.PI * 440 * i) / 8000);
    im += sample * Math.sin((2 * Math.PI * 440 * i) / 8000);
    energy += sample * sample;
  }
  return (2 * (re * re + im * im)) / (samples.length * energy);
}

describe.each(['mulaw', 'alaw', 'pcm_16'] as const)('%s', (encoding) => {
  test.each(rates)('at %i Hz is heard as the same tone, as long and as loud', (rate) => {
    const heard = mulawToLinear(decode(new OutputDecoder(), encoding, rate, encode(tone(rate, 1), encoding)));
    expect(heard.length).toBeGreaterThan(7900);
    expect(heard.length).toBeLessThanOrEqual(8000);
    const steady = heard.subarray(400, 7600);
    expect(purity(steady)).toBeGreaterThan(0.995);
    expect(Math.max(...steady)).toBeGreaterThan(15_000);
    expect(Math.max(...steady)).toBeLessThan(17_000);
  });

  test.each(rates)('at %i Hz a stream sounds the same however it is cut into messages', (rate) => {
    const sampleBytes = encoding === 'pcm_16' ? 2 : 1;
    const bytes = encode(tone(rate, 0.5), encoding);
    const decoder = new OutputDecoder();
    const parts: Buffer[] = [];
    for (let at = 0, size = 1; at < bytes.length; at += size * sampleBytes, size = ((size * 7) % 997) + 1) {
      parts.push(decode(decoder, encoding, rate, bytes.subarray(at, at + size * sampleBytes)));
    }
    const whole = decode(new OutputDecoder(), encoding, rate, bytes);
    expect(Buffer.concat(parts).equals(whole)).toBe(true);
  });
});

test('mulaw at 8000 Hz is passed on byte by byte', () => {
  expect(decode(new OutputDecoder(), 'mulaw', 8000, speech(777))).toEqual(speech(777));
});

test('a payload that is not what it says gives nothing', () => {
  const decoder = new OutputDecoder();
  const give = (payload: string, encoding: Encoding = 'mulaw') =>
    decoder.decode({ encoding, sampleRateHz: 8000, payload });
  for (const payload of ['*', 'A', 'AAAAA', 'AA*A', 'AA AA', 'AA=A', 'AAA=AAAA', 'AAAA\n', 'äöüß', '====']) {
    expect(give(payload), payload).toBeUndefined();
  }
  expect(give(Buffer.alloc(3).toString('base64'), 'pcm_16')).toBeUndefined();
  expect(give(Buffer.alloc(1024 * 1024).toString('base64'))).toBeUndefined();
  expect(give('')?.length).toBe(0);
  expect(give('AA')?.length).toBe(1);
  expect(give('AA==')?.length).toBe(1);
});
