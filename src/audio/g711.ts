/**
 * G.711: 8-bit mu-law and A-law against 16-bit linear samples, and one law against the other. Everything is a table
 * made once from the formulas of ITU-T G.711 (tables 1a, 1b, 2a, 2b), so that the packet path only looks up bytes.
 *
 * Linear samples are Int16, left-justified: mu-law's 14 bits times 4, A-law's 13 bits times 8.
 */

/** What silence is in each law: the code of +0, as it goes on the wire. */
export const MULAW_SILENCE = 0xff;
export const ALAW_SILENCE = 0xd5;

const MULAW_BIAS = 132;
const MULAW_CLIP = 32_635;
/** Samples below this are quiet: mu-law's lowest segment, -48 dB of full scale. */
export const QUIET_BELOW = 128;

/** Whether the first `length` samples are. */
export function isQuiet(samples: Int16Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (Math.abs(samples[i] as number) >= QUIET_BELOW) return false;
  return true;
}

/** G.711 inverts the even bits of an A-law code on the wire. */
const ALAW_TOGGLE = 0x55;

/** Position of a value's highest bit, less `floor`; never below 0: the segment of a logarithmic law. */
function segmentOf(value: number, floor: number): number {
  return Math.max(0, 31 - Math.clz32(value) - floor);
}

function encodeMulaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), MULAW_CLIP) + MULAW_BIAS;
  const segment = segmentOf(magnitude, 7);
  const code = (segment << 4) | ((magnitude >> (segment + 3)) & 0x0f);
  return ~((sample < 0 ? 0x80 : 0) | code) & 0xff;
}

function decodeMulaw(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 0x0f) << 3) + MULAW_BIAS) << ((code >> 4) & 7)) - MULAW_BIAS;
  return code & 0x80 ? -magnitude : magnitude;
}

function encodeAlaw(sample: number): number {
  // A-law has no zero: a negative value belongs to the interval below it, so that -1 is -0.
  const magnitude = Math.min(sample < 0 ? ~sample : sample, 32_767) >> 3;
  const segment = segmentOf(magnitude, 4);
  const code = (segment << 4) | ((magnitude >> Math.max(1, segment)) & 0x0f);
  return ((sample < 0 ? 0 : 0x80) | code) ^ ALAW_TOGGLE;
}

function decodeAlaw(byte: number): number {
  const code = byte ^ ALAW_TOGGLE;
  const segment = (code >> 4) & 7;
  const step = ((code & 0x0f) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return code & 0x80 ? magnitude : -magnitude;
}

/** The other law's code that is nearest; a zero keeps its sign. */
function transcode(decode: (byte: number) => number, encode: (sample: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    // In both laws the sign bit is set on the wire for positive values.
    const positive = encode(decode(byte | 0x80));
    return byte & 0x80 ? positive : positive & 0x7f;
  });
}

const mulawOfLinear = Uint8Array.from({ length: 65_536 }, (_, i) => encodeMulaw((i << 16) >> 16));
const alawOfLinear = Uint8Array.from({ length: 65_536 }, (_, i) => encodeAlaw((i << 16) >> 16));
const linearOfMulaw = Int16Array.from({ length: 256 }, (_, byte) => decodeMulaw(byte));
const linearOfAlaw = Int16Array.from({ length: 256 }, (_, byte) => decodeAlaw(byte));

/** 256 codes of the one law, indexed by the code of the other. */
export const alawOfMulaw: Uint8Array = transcode(decodeMulaw, encodeAlaw);
export const mulawOfAlaw: Uint8Array = transcode(decodeAlaw, encodeMulaw);

/** One law's tables, for the packet path: nothing is allocated there. */
export interface Law {
  /** 256 linear samples by code. */
  readonly linear: Int16Array;
  /**
   * The same, so that each leads back to its code, and to the code of the other law that the tables above have for it:
   * of mu-law's negative samples, -0 among them, one less.
   */
  readonly faithful: Int16Array;
  /** 65,536 codes by linear sample, as an unsigned number. */
  readonly code: Uint8Array;
  /** The code of silence. */
  readonly silence: number;
  /** 1 for the codes below -48 dB of full scale: nobody misses them in a pause. */
  readonly quiet: Uint8Array;
}

const quietCodes = (linear: Int16Array): Uint8Array =>
  Uint8Array.from(linear, (sample) => (Math.abs(sample) < QUIET_BELOW ? 1 : 0));

export const mulaw: Law = {
  linear: linearOfMulaw,
  faithful: linearOfMulaw.map((sample, byte) => (byte & 0x80 ? sample : sample - 1)),
  code: mulawOfLinear,
  silence: MULAW_SILENCE,
  quiet: quietCodes(linearOfMulaw),
};
export const alaw: Law = {
  linear: linearOfAlaw,
  faithful: linearOfAlaw,
  code: alawOfLinear,
  silence: ALAW_SILENCE,
  quiet: quietCodes(linearOfAlaw),
};

/** Writes `length` samples of a law's bytes, read from `offset` on, to the beginning of `into`. */
export function expand(law: Law, bytes: Uint8Array, offset: number, length: number, into: Int16Array): void {
  lookUp(law.linear, bytes, offset, length, into);
}

/** The same with `faithful` samples. */
export function expandFaithfully(
  law: Law,
  bytes: Uint8Array,
  offset: number,
  length: number,
  into: Int16Array,
): void {
  lookUp(law.faithful, bytes, offset, length, into);
}

function lookUp(
  table: Int16Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
  into: Int16Array,
): void {
  for (let i = 0; i < length; i++) into[i] = table[bytes[offset + i] as number] as number;
}

/** Writes the first `length` samples as a law's bytes to `into` from `offset` on. */
export function compress(
  law: Law,
  samples: Int16Array,
  length: number,
  into: Uint8Array,
  offset: number,
): void {
  const { code } = law;
  for (let i = 0; i < length; i++) into[offset + i] = code[(samples[i] as number) & 0xffff] as number;
}

/** @returns one mu-law byte per Int16 sample */
export function linearToMulaw(samples: Int16Array): Uint8Array {
  return encode(samples, mulawOfLinear);
}

/** @returns one A-law byte per Int16 sample */
export function linearToAlaw(samples: Int16Array): Uint8Array {
  return encode(samples, alawOfLinear);
}

/** @returns one Int16 sample per mu-law byte */
export function mulawToLinear(bytes: Uint8Array): Int16Array {
  return decode(bytes, linearOfMulaw);
}

/** @returns one Int16 sample per A-law byte */
export function alawToLinear(bytes: Uint8Array): Int16Array {
  return decode(bytes, linearOfAlaw);
}

/** Rewrites `length` bytes in place by one of the 256-byte tables above. */
export function translate(bytes: Uint8Array, table: Uint8Array, offset = 0, length = bytes.length): void {
  for (let i = offset; i < offset + length; i++) bytes[i] = table[bytes[i] as number] as number;
}

function encode(samples: Int16Array, table: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) bytes[i] = table[(samples[i] as number) & 0xffff] as number;
  return bytes;
}

function decode(bytes: Uint8Array, table: Int16Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) samples[i] = table[bytes[i] as number] as number;
  return samples;
}
