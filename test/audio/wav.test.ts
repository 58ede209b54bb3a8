import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { alawToLinear, mulawToLinear } from '../../src/audio/g711.ts';
import { readWav } from '../../src/audio/wav.ts';
import { readWav as readSpeech, speechFile } from '../support/wav.ts';

interface Parts {
  coding?: number;
  channels?: number;
  rateHz?: number;
  bits?: number;
  data?: Buffer;
}

const chunk = (id: string, body: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(body.length);
  return Buffer.concat([Buffer.from(id), size, body, Buffer.alloc(body.length & 1)]);
};

function format({ coding = 1, channels = 1, rateHz = 8000, bits = 16 }: Parts): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(coding, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rateHz, 4);
  body.writeUInt16LE(bits, 14);
  return body;
}

const file = (...chunks: Buffer[]): Buffer => chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]));
const wav = (parts: Parts): Buffer =>
  file(chunk('fmt ', format(parts)), chunk('data', parts.data ?? Buffer.from([1, 0, 255, 255])));

describe('a WAV file', () => {
  test('of speech is read as it is', () => {
    const { rateHz, samples } = readWav(readFileSync(speechFile));
    expect(rateHz).toBe(8000);
    expect(samples).toEqual(readSpeech(speechFile));
  });

  test('may be PCM or G.711, at 8 or 16 kHz, with other chunks of odd lengths in it', () => {
    expect(readWav(wav({ rateHz: 16_000 }))).toEqual({ rateHz: 16_000, samples: Int16Array.of(1, -1) });
    const data = Buffer.from([0, 17, 128]);
    expect(readWav(wav({ coding: 7, bits: 8, data })).samples).toEqual(mulawToLinear(data));
    expect(readWav(wav({ coding: 6, bits: 8, data })).samples).toEqual(alawToLinear(data));
    const more = file(
      chunk('LIST', Buffer.from('odd')),
      chunk('fmt ', format({})),
      chunk('fact', Buffer.alloc(4)),
      chunk('data', Buffer.from([5, 0])),
    );
    expect(readWav(more).samples).toEqual(Int16Array.of(5));
  });

  test('may name its format by the longer form', () => {
    const extensible = Buffer.concat([format({ coding: 0xfffe }), Buffer.alloc(24)]);
    extensible.writeUInt16LE(1, 24);
    expect(readWav(file(chunk('fmt ', extensible), chunk('data', Buffer.from([5, 0])))).samples).toEqual(
      Int16Array.of(5),
    );
  });

  test('that is cut short is taken as far as it goes', () => {
    expect(readWav(wav({ data: Buffer.alloc(400) }).subarray(0, -101)).samples).toHaveLength(149);
  });

  test.each([
    [Buffer.alloc(0), 'it is not a WAV file'],
    [Buffer.from('ID3 and so on, no WAV at all'), 'it is not a WAV file'],
    [wav({ channels: 2 }), 'it has 2 channels; wanted is 1'],
    [wav({ rateHz: 44_100 }), 'it has 44100 Hz; wanted is 8000 or 16000'],
    [wav({ bits: 24 }), 'it has format 1 with 24 bits; wanted is PCM with 16, or G.711'],
    [wav({ coding: 3, bits: 32 }), 'it has format 3 with 32 bits; wanted is PCM with 16, or G.711'],
    [wav({ data: Buffer.alloc(0) }), 'it holds no sound'],
    [file(chunk('fmt ', format({}))), 'it has no data chunk'],
    [file(chunk('data', Buffer.alloc(2))), 'its data comes before its format'],
    [file(chunk('fmt ', Buffer.alloc(4))), 'its format chunk is cut short'],
  ])('that cannot be used says why (%#)', (bytes, words) => {
    expect(() => readWav(bytes)).toThrow(words);
  });
});
