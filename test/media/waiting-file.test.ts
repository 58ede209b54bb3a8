import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openWaitingSound } from '../../src/media/waiting-file.ts';
import { readWav, speechFile } from '../support/wav.ts';

const folder = mkdtempSync(join(tmpdir(), 'waiting-'));
afterAll(() => rmSync(folder, { recursive: true }));

function loop(file: string): Int16Array {
  const sound = openWaitingSound(file);
  if (sound.kind !== 'loop') throw new Error(`a ${sound.kind}`);
  return new Int16Array(sound.samples);
}

describe('session.waiting', () => {
  test('is silence or a tone by its name', () => {
    expect(openWaitingSound('silence')).toEqual({ kind: 'silence' });
    expect(openWaitingSound('tone').kind).toBe('tone');
  });

  test('is what a file holds, faded at both ends so that its seam does not click', () => {
    const samples = loop(fileURLToPath(speechFile));
    const speech = readWav(speechFile);
    expect(samples.slice(100, -100)).toEqual(speech.slice(100, -100));
    expect([samples[0], samples.at(-1)]).toEqual([0, 0]);
  });

  test('comes down to 8 kHz', () => {
    const file = join(folder, 'wide.wav');
    const header = Buffer.alloc(44);
    header.write('RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0', 0, 'latin1');
    header.writeUInt32LE(16_000, 24);
    header.writeUInt16LE(16, 34);
    header.write('data', 36);
    header.writeUInt32LE(32_000, 40);
    writeFileSync(file, Buffer.concat([header, Buffer.alloc(32_000)]));
    expect(loop(file)).toHaveLength(8000);
  });

  test.each([
    ['missing.wav', /^session.waiting: .*missing.wav cannot be used: ENOENT/],
    ['text.wav', /text.wav cannot be used: it is not a WAV file$/],
    ['big.wav', /big.wav cannot be used: it has 4194305 bytes; at most 4194304 are taken$/],
    ['.', /cannot be used: it is not a file$/],
  ])('that cannot be used stops the start with plain words: %s', (name, words) => {
    writeFileSync(join(folder, 'text.wav'), 'nothing to hear');
    writeFileSync(join(folder, 'big.wav'), Buffer.alloc(4 * 1024 * 1024 + 1));
    expect(() => openWaitingSound(join(folder, name))).toThrow(words);
  });
});
