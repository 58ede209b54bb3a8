/**
 * G.722 at 64 kbit/s: two bands of 4 kHz, each coded by adaptive differences, lower band 6 bits, upper band 2 bits. One
 * octet holds two samples at 16 kHz. Written after the blocks of ITU-T Recommendation G.722 (11/88), whose names are in
 * the comments, and bit-exact with its reference sequence of speech. All arithmetic is that of 16 bits laid down there.
 */

/** Decision levels of the lower band's quantizer, and its codes for negative and positive differences (table 14). */
const levels = Int16Array.of(
  ...[0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023],
  ...[1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919],
);
const negativeCode = (interval: number): number => (interval < 3 ? 64 - interval : 34 - interval);
const positiveCode = (interval: number): number => 62 - interval;
/** Outputs of the inverse quantizers: 6 and 4 bits of the lower band, 2 bits of the upper (tables 15 to 17). */
const magnitudes6 = [
  ...[24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9360, 8576, 7856, 7192, 6576],
  ...[6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728],
];
const outputs6 = Int16Array.of(
  ...[-136, -136, -136, -136],
  ...magnitudes6.map((value) => -value),
  ...[...magnitudes6, 432, 136, -432, -136],
);
const magnitudes4 = [20_456, 12_896, 8968, 6288, 4240, 2584, 1200];
const outputs4 = Int16Array.of(0, ...magnitudes4.map((value) => -value), ...magnitudes4, 0);
const outputs2 = Int16Array.of(-7408, -1616, 7408, 1616);
/** By how much each code lets the step grow or shrink, in the logarithm (tables 18 to 20). */
const growth4 = Int16Array.of(
  ...[-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60],
);
const growth2 = Int16Array.of(798, -214, 798, -214);
/** 2^11 to the power of i/32 more (table 21). */
const powers = Int16Array.from({ length: 32 }, (_, i) => Math.floor(2048 * 2 ** (i / 32) + 0.5));
/** Half of the symmetrical band-splitting filter of 24 taps (table 11). */
const filter = Int16Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
const TAPS = 24;
/** Samples that a filter keeps of what came before. */
const HISTORY = TAPS - 2;

const LOWER_MAX = 18_432;
const UPPER_MAX = 22_528;

const saturate = (value: number): number => (value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value);
const limit = (value: number, most: number): number => (value > most ? most : value < -most ? -most : value);

/** One band's state: its predictor of two poles and six zeros (block 4), its step, and the step's logarithm. */
class Band {
  readonly #isUpper: boolean;
  /** Differences, newest first, and the coefficients of the zeros; index 0 of `b` is unused. */
  readonly #d = new Int16Array(7);
  readonly #b = new Int16Array(7);
  /** Coefficients of the poles; reconstructed and partially reconstructed signals, newest first. */
  #a1 = 0;
  #a2 = 0;
  #r1 = 0;
  #r2 = 0;
  #p1 = 0;
  #p2 = 0;
  #zeros = 0;
  #logStep = 0;
  /** What comes next as far as the past tells. */
  estimate = 0;
  step: number;

  constructor(isUpper: boolean) {
    this.#isUpper = isUpper;
    this.step = isUpper ? 8 : 32;
  }

  /** Takes the difference that both sides know of, and how its code lets the step change. */
  adapt(difference: number, growth: number): void {
    this.#adaptStep(growth);
    this.#predict(difference);
  }

  /** LOGSCL and SCALEL, LOGSCH and SCALEH. */
  #adaptStep(growth: number): void {
    const log = ((this.#logStep * 127) >> 7) + growth;
    const most = this.#isUpper ? UPPER_MAX : LOWER_MAX;
    this.#logStep = log < 0 ? 0 : log > most ? most : log;
    const shift = (this.#isUpper ? 10 : 8) - (this.#logStep >> 11);
    const power = powers[(this.#logStep >> 6) & 31] as number;
    this.step = (shift < 0 ? power << -shift : power >> shift) << 2;
  }

  #predict(difference: number): void {
    const r0 = saturate(this.estimate + difference);
    const p0 = saturate(this.#zeros + difference);
    this.#adaptPoles(p0);
    this.#adaptZeros(difference);
    this.#p2 = this.#p1;
    this.#p1 = p0;
    this.#r2 = this.#r1;
    this.#r1 = r0;
    // FILTEP, FILTEZ, PREDIC
    const pole1 = (this.#a1 * saturate(2 * this.#r1)) >> 15;
    const pole2 = (this.#a2 * saturate(2 * this.#r2)) >> 15;
    this.estimate = saturate(saturate(pole1 + pole2) + this.#zeros);
  }

  /** UPPOL2 and UPPOL1: by the signs of the present and the last two signals. */
  #adaptPoles(p0: number): void {
    const sameAsLast = p0 < 0 === this.#p1 < 0;
    const sameAsBefore = p0 < 0 === this.#p2 < 0;
    const pull = saturate(4 * this.#a1);
    const pushed = Math.min(32_767, sameAsLast ? -pull : pull) >> 7;
    const a2 = limit(pushed + (sameAsBefore ? 128 : -128) + ((this.#a2 * 32_512) >> 15), 12_288);
    const a1 = saturate((sameAsLast ? 192 : -192) + ((this.#a1 * 32_640) >> 15));
    this.#a1 = limit(a1, saturate(15_360 - a2));
    this.#a2 = a2;
  }

  /** UPZERO, DELAYA and FILTEZ in one pass: each coefficient is adapted, and its difference moves on by one. */
  #adaptZeros(difference: number): void {
    const d = this.#d;
    const b = this.#b;
    const nudge = difference === 0 ? 0 : 128;
    d[0] = difference;
    let sum = 0;
    for (let i = 6; i > 0; i--) {
      const same = (d[i] as number) < 0 === difference < 0;
      const coefficient = saturate((same ? nudge : -nudge) + (((b[i] as number) * 32_640) >> 15));
      const moved = d[i - 1] as number;
      b[i] = coefficient;
      d[i] = moved;
      sum = saturate(sum + ((coefficient * saturate(2 * moved)) >> 15));
    }
    this.#zeros = sum;
  }
}

/** QUANTL: the code for the next sample of the lower band. */
function lowerCode({ estimate, step }: Band, low: number): number {
  const error = saturate(low - estimate);
  const size = error < 0 ? ~error : error;
  let interval = 1;
  while (interval < 30 && size >= ((levels[interval] as number) * step) >> 12) interval++;
  return error < 0 ? negativeCode(interval) : positiveCode(interval);
}

/** QUANTH */
function upperCode({ estimate, step }: Band, high: number): number {
  const error = saturate(high - estimate);
  const isLarge = (error < 0 ? ~error : error) >= (564 * step) >> 12;
  return error < 0 ? (isLarge ? 0 : 1) : isLarge ? 2 : 3;
}

/** The two bands, of an encoder or a decoder: codes in, samples of each at 8 kHz out. */
class Bands {
  readonly #lower = new Band(false);
  readonly #upper = new Band(true);
  /** What the last octet held, each from -16384 to 16383. */
  low = 0;
  high = 0;

  /** @returns the octet for the next sample of each band, the upper one in its first two bits */
  code(low: number, high: number): number {
    return (upperCode(this.#upper, high) << 6) | lowerCode(this.#lower, low);
  }

  /** Moves on by an octet, as both sides do. */
  take(octet: number): void {
    const code = octet & 0x3f;
    const lower = this.#lower;
    const fine = (lower.step * (outputs6[code] as number)) >> 15;
    this.low = within15Bits(saturate(lower.estimate + fine));
    const coarse = code >> 2;
    lower.adapt((lower.step * (outputs4[coarse] as number)) >> 15, growth4[coarse] as number);
    const upper = this.#upper;
    const bits = octet >> 6;
    const difference = (upper.step * (outputs2[bits] as number)) >> 15;
    this.high = within15Bits(saturate(upper.estimate + difference));
    upper.adapt(difference, growth2[bits] as number);
  }

  /** Splits 24 samples from `at` on into the bands, codes them and moves on. @returns the octet */
  encode(line: Int16Array, at: number): number {
    let even = 0;
    let odd = 0;
    for (let i = 0; i < TAPS / 2; i++) {
      odd += (line[at + 2 * i] as number) * (filter[i] as number);
      even += (line[at + 2 * i + 1] as number) * (filter[TAPS / 2 - 1 - i] as number);
    }
    const octet = this.code((even + odd) >> 14, (even - odd) >> 14);
    this.take(octet);
    return octet;
  }
}

const within15Bits = (value: number): number => (value > 16_383 ? 16_383 : value < -16_384 ? -16_384 : value);

/** @returns the line, or a longer one with the same history, with room for so many samples behind it */
function withRoom(line: Int16Array<ArrayBuffer>, samples: number): Int16Array<ArrayBuffer> {
  if (line.length >= HISTORY + samples) return line;
  const longer = new Int16Array(HISTORY + samples);
  longer.set(line.subarray(0, HISTORY));
  return longer;
}

/** Samples at 16 kHz to octets. */
export class G722Encoder {
  readonly rateHz = 16_000;
  readonly #bands = new Bands();
  /** The last 24 samples, and room for those that come, so that none has to be moved one by one. */
  #line = new Int16Array(TAPS);

  /** @param length of the samples that are encoded, an even number @returns octets written from `offset` on */
  encode(samples: Int16Array, length: number, into: Uint8Array, offset: number): number {
    this.#line = withRoom(this.#line, length);
    const line = this.#line;
    for (let i = 0; i < length; i++) line[HISTORY + i] = samples[i] as number;
    for (let at = 0; at < length; at += 2) into[offset + at / 2] = this.#bands.encode(line, at);
    line.copyWithin(0, length, length + HISTORY);
    return length / 2;
  }
}

/** Octets to samples at 16 kHz. */
export class G722Decoder {
  readonly rateHz = 16_000;
  readonly samplesPerOctet = 2;
  /** Samples by which what comes out of both filters is late. */
  readonly filterDelay = HISTORY;
  readonly #bands = new Bands();
  /** Sums and differences of the two bands in turn. */
  #line = new Int16Array(TAPS);

  /** Writes two samples per octet to the beginning of `into`. @returns how many */
  decode(octets: Uint8Array, offset: number, length: number, into: Int16Array): number {
    const samples = 2 * length;
    this.#line = withRoom(this.#line, samples);
    const line = this.#line;
    const bands = this.#bands;
    for (let at = 0; at < samples; at += 2) {
      bands.take(octets[offset + at / 2] as number);
      line[HISTORY + at] = bands.low + bands.high;
      line[HISTORY + at + 1] = bands.low - bands.high;
      let first = 0;
      let second = 0;
      for (let i = 0; i < TAPS / 2; i++) {
        second += (line[at + 2 * i] as number) * (filter[i] as number);
        first += (line[at + 2 * i + 1] as number) * (filter[TAPS / 2 - 1 - i] as number);
      }
      into[at] = saturate(first >> 11);
      into[at + 1] = saturate(second >> 11);
    }
    line.copyWithin(0, samples, samples + HISTORY);
    return samples;
  }

  /**
   * Goes on as if what was lost had been decoded, which keeps the predictors near to the encoder's (the way of appendix
   * IV).
   * @param samples made up in its place, and `filterDelay` more of what follows @param length of what was lost
   */
  follow(samples: Int16Array, length: number): void {
    const line = this.#line;
    const bands = this.#bands;
    for (let at = 0; at < length; at += 2) {
      bands.encode(samples, at);
      line.copyWithin(0, 2, HISTORY);
      line[HISTORY - 2] = bands.low + bands.high;
      line[HISTORY - 1] = bands.low - bands.high;
    }
  }
}
