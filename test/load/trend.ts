/** A value at a time, of any unit. */
export interface Sample {
  at: number;
  value: number;
}

export interface Trend {
  mean: number;
  /** By how much the value grows in one unit of time, by least squares. */
  slope: number;
  /** Standard error of the slope. */
  error: number;
}

/** @param samples at least three, of different times, each measured by itself */
export function trendOf(samples: readonly Sample[]): Trend {
  const meanOf = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [middle, mean] = [meanOf(({ at }) => at), meanOf(({ value }) => value)];
  const spread = meanOf(({ at }) => (at - middle) ** 2);
  const together = meanOf(({ at, value }) => (at - middle) * (value - mean));
  const slope = together / spread;
  const left = meanOf(({ at, value }) => (value - mean - slope * (at - middle)) ** 2);
  return { mean, slope, error: Math.sqrt(left / spread / (samples.length - 2)) };
}
