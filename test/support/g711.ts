/**
 * G.711 for the test phone, written apart from the gateway's own so that a fault there cannot hide here.
 * Samples are 16-bit signed, 8 kHz. Source: ITU-T G.711.
 */
export type Codec = 'PCMU' | 'PCMA';

export const payloadTypeOf: Readonly<Record<Codec, number>> = { PCMU: 0, PCMA: 8 };
/** The byte that a codec sends for a sample of 0. */
export const silenceOf: Readonly<Record<Codec, number>> = { PCMU: 0xff, PCMA: 0xd5 };

function decodeMuLawByte(byte: number): number {
  const code = ~byte & 0xff;
  const exponent = (code >> 4) & 7;
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << exponent) - 0x84;
  return code & 0x80 ? -magnitude : magnitude;
}

function decodeALawByte(byte: number): number {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const mantissa = ((code & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return code & 0x80 ? magnitude : -magnitude;
}

const decodeTable: Readonly<Record<Codec, Int16Array>> = {
  PCMU: Int16Array.from({ length: 256 }, (_, byte) => decodeMuLawByte(byte)),
  PCMA: Int16Array.from({ length: 256 }, (_, byte) => decodeALawByte(byte)),
};

function encodeMuLawSample(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), 32635) + 0x84;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 7);
  const code = (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f);
  return ~(sample < 0 ? code | 0x80 : code) & 0xff;
}

function encodeALawSample(sample: number): number {
  const magnitude = sample < 0 ? Math.min(-sample - 1, 32767) : sample;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude | 1) - 7);
  const mantissa = (magnitude >> (exponent === 0 ? 4 : exponent + 3)) & 0x0f;
  return ((exponent << 4) | mantissa | (sample < 0 ? 0 : 0x80)) ^ 0x55;
}

/** One byte per sample. */
export function encode(codec: Codec, samples: Int16Array): Uint8Array {
  const one = codec === 'PCMU' ? encodeMuLawSample : encodeALawSample;
  return Uint8Array.from(samples, one);
}

/** One sample per byte. */
export function decode(codec: Codec, bytes: Uint8Array): Int16Array {
  const table = decodeTable[codec];
  return Int16Array.from(bytes, (byte) => table[byte]!);
}
