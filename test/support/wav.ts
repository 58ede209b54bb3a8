import { readFileSync } from 'node:fs';
import { decode } from './g711.ts';

/** Where the committed speech is; see test/fixtures/README.md. */
export const speechFile = new URL('../fixtures/speech.wav', import.meta.url);

const PCM = 1;
const A_LAW = 6;
const MU_LAW = 7;

/**
 * Reads a WAV file of 8 kHz mono, 16-bit PCM, mu-law or A-law (RIFF; other chunks are skipped).
 * @returns 16-bit samples
 * @throws Error naming what the file has instead
 */
export function readWav(file: string | URL): Int16Array {
  const bytes = readFileSync(file);
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw new Error(`${file} is not a WAV file`);
  }
  let format = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (id === 'fmt ') format = formatOf(body, String(file));
    if (id === 'data') return samplesOf(format, body);
    at += 8 + size + (size & 1);
  }
  throw new Error(`${file} has no data chunk`);
}

function formatOf(body: Buffer, file: string): number {
  const [format, channels, rate, bits] = [
    body.readUInt16LE(0),
    body.readUInt16LE(2),
    body.readUInt32LE(4),
    body.readUInt16LE(14),
  ];
  const known = (format === PCM && bits === 16) || ((format === A_LAW || format === MU_LAW) && bits === 8);
  if (!known || channels !== 1 || rate !== 8000) {
    throw new Error(
      `${file}: 8000 Hz mono PCM16, mu-law or A-law is wanted, not ${rate} Hz, ${channels} channels, ${bits} bits, format ${format}`,
    );
  }
  return format;
}

function samplesOf(format: number, body: Buffer): Int16Array {
  if (format === MU_LAW) return decode('PCMU', body);
  if (format === A_LAW) return decode('PCMA', body);
  return Int16Array.from({ length: body.length >> 1 }, (_, i) => body.readInt16LE(2 * i));
}
