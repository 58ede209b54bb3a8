import { alaw, expand, mulaw } from './g711.ts';

/** A WAV file's sound, mono. */
export interface Wav {
  rateHz: 8000 | 16_000;
  samples: Int16Array;
}

const PCM = 1;
const A_LAW = 6;
const MU_LAW = 7;
/** The real format is the first word of a 16-byte identifier, 24 bytes into the chunk. */
const EXTENSIBLE = 0xfffe;
const FORMAT_BYTES = 16;
const SUBFORMAT_AT = 24;

/**
 * Reads a WAV file: mono, 8 or 16 kHz, 16-bit PCM, mu-law or A-law. Chunks other than the two that count are skipped, and
 * a last one that is cut short is taken as far as it goes.
 * @throws Error that names what the file has instead
 */
export function readWav(bytes: Uint8Array): Wav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || idAt(bytes, 0) !== 'RIFF' || idAt(bytes, 8) !== 'WAVE') {
    throw new Error('it is not a WAV file');
  }
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const body = bytes.subarray(at + 8, Math.min(at + 8 + size, bytes.length));
    const id = idAt(bytes, at);
    if (id === 'fmt ') format = readFormat(body);
    if (id === 'data') return readSamples(format, body);
    // Chunks begin at even places.
    at += 8 + size + (size & 1);
  }
  throw new Error('it has no data chunk');
}

interface Format {
  coding: number;
  rateHz: Wav['rateHz'];
}

const idAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

function readFormat(body: Uint8Array): Format {
  if (body.length < FORMAT_BYTES) throw new Error('its format chunk is cut short');
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [named, channels, rateHz, bits] = [
    view.getUint16(0, true),
    view.getUint16(2, true),
    view.getUint32(4, true),
    view.getUint16(14, true),
  ];
  const coding =
    named === EXTENSIBLE && body.length >= SUBFORMAT_AT + 2 ? view.getUint16(SUBFORMAT_AT, true) : named;
  const known = (coding === PCM && bits === 16) || ((coding === A_LAW || coding === MU_LAW) && bits === 8);
  if (!known) throw new Error(`it has format ${coding} with ${bits} bits; wanted is PCM with 16, or G.711`);
  if (channels !== 1) throw new Error(`it has ${channels} channels; wanted is 1`);
  if (rateHz !== 8000 && rateHz !== 16_000) throw new Error(`it has ${rateHz} Hz; wanted is 8000 or 16000`);
  return { coding, rateHz };
}

function readSamples(format: Format | undefined, body: Uint8Array): Wav {
  if (!format) throw new Error('its data comes before its format');
  const { coding, rateHz } = format;
  const samples = new Int16Array(coding === PCM ? body.length >> 1 : body.length);
  if (samples.length === 0) throw new Error('it holds no sound');
  if (coding === PCM) {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true);
  } else {
    expand(coding === A_LAW ? alaw : mulaw, body, 0, samples.length, samples);
  }
  return { rateHz, samples };
}
