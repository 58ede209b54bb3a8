import { toSample } from './format.ts';

/**
 * Converts between 8, 16, 24 and 48 kHz: a streaming polyphase FIR filter, a sinc in a Kaiser window. Speech up to
 * 0.42 of the lower rate passes (3.4 kHz at 8 kHz); aliases and images are more than 60 dB down from 0.53 of it on.
 * Chunks may have any length: what comes out is the same. The delay is 20 samples of the lower rate (2.5 ms at 8 kHz).
 * Chunks of one length allocate nothing.
 */
const RATES = [8000, 16_000, 24_000, 48_000];

/** Length of the filter, in samples of the lower rate. */
const SPAN = 40;
/** Middle of the transition, as a share of the lower rate. */
const CUTOFF = 0.475;
/** Kaiser's beta for 65 dB. */
const BETA = 6.2;

/** Modified Bessel function of the first kind, order 0, by its series. */
function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * @param phases the factor by which the rate is raised before it is lowered
 * @param taps per phase
 * @param cutoff in cycles per sample of the raised rate
 * @returns the coefficients of each phase, last first, so that they run along with the input
 */
function polyphase(phases: number, taps: number, cutoff: number): Float64Array[] {
  const length = phases * taps;
  const middle = (length - 1) / 2;
  const prototype = Float64Array.from({ length }, (_, i) => {
    const t = i - middle;
    const sinc = t === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * t) / (Math.PI * t);
    return sinc * bessel(BETA * Math.sqrt(1 - (t / (middle + 1)) ** 2));
  });
  return Array.from({ length: phases }, (_, phase) => {
    const row = Float64Array.from(
      { length: taps },
      (_, k) => prototype[phase + (taps - 1 - k) * phases] ?? 0,
    );
    const gain = row.reduce((sum, value) => sum + value, 0);
    return row.map((value) => value / gain);
  });
}

const rows = new Map<string, Float64Array[]>();

/** The coefficients of a pair of rates are made once, for all streams of a thread. */
function rowsOf(fromHz: number, toHz: number, make: () => Float64Array[]): Float64Array[] {
  const pair = `${fromHz} ${toHz}`;
  const known = rows.get(pair) ?? make();
  rows.set(pair, known);
  return known;
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/** One direction of one stream; it keeps the end of what it was given. */
export class Resampler {
  readonly #up: number;
  readonly #down: number;
  readonly #taps: number;
  readonly #rows: Float64Array[];
  /** The last `taps - 1` samples that came, and room for what comes next. */
  #line: Float64Array;
  /** What the last call returned; used again. */
  #output = new Int16Array(0);
  /** The next output: its filter row, and the input sample (of the next chunk) that it ends at. */
  #phase = 0;
  #position = 0;

  /**
   * @param fromHz @param toHz 8000, 16000, 24000 or 48000
   * @throws RangeError for any other rate
   */
  constructor(fromHz: number, toHz: number) {
    for (const rate of [fromHz, toHz]) {
      if (!RATES.includes(rate)) throw new RangeError(`cannot resample ${rate} Hz, only ${RATES.join(', ')}`);
    }
    const divisor = greatestCommonDivisor(fromHz, toHz);
    this.#up = toHz / divisor;
    this.#down = fromHz / divisor;
    const lower = Math.min(fromHz, toHz);
    this.#taps = SPAN * (fromHz / lower);
    this.#rows = rowsOf(fromHz, toHz, () =>
      polyphase(this.#up, this.#taps, (CUTOFF * lower) / (fromHz * this.#up)),
    );
    this.#line = new Float64Array(this.#taps - 1);
  }

  /**
   * @param input its first `length` samples are the next ones
   * @returns the samples that they complete, all that are due by now; valid until the next call
   */
  process(input: Int16Array, length = input.length): Int16Array {
    if (this.#up === this.#down) return input.subarray(0, length);
    const history = this.#taps - 1;
    this.#append(input, length, history);
    const due = Math.max(0, Math.ceil(((length - this.#position) * this.#up - this.#phase) / this.#down));
    if (this.#output.length !== due) this.#output = new Int16Array(due);
    const output = this.#output;
    for (let i = 0; i < due; i++) {
      const sample = dot(this.#rows[this.#phase] as Float64Array, this.#line, this.#position);
      output[i] = toSample(sample);
      const phase = this.#phase + this.#down;
      this.#position += Math.floor(phase / this.#up);
      this.#phase = phase % this.#up;
    }
    this.#position -= length;
    this.#line.copyWithin(0, length, length + history);
    return output;
  }

  /** Forgets what came before, as after a pause. */
  reset(): void {
    this.#line.fill(0);
    this.#position = 0;
    this.#phase = 0;
  }

  #append(input: Int16Array, length: number, history: number): void {
    if (this.#line.length < history + length) {
      const longer = new Float64Array(history + length);
      longer.set(this.#line.subarray(0, history));
      this.#line = longer;
    }
    for (let i = 0; i < length; i++) this.#line[history + i] = input[i] as number;
  }
}

/** Four sums at a time, because the processor can add them at once; rows are multiples of 4 long. */
function dot(row: Float64Array, line: Float64Array, offset: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < row.length; k += 4) {
    a += (row[k] as number) * (line[offset + k] as number);
    b += (row[k + 1] as number) * (line[offset + k + 1] as number);
    c += (row[k + 2] as number) * (line[offset + k + 2] as number);
    d += (row[k + 3] as number) * (line[offset + k + 3] as number);
  }
  return a + b + (c + d);
}
