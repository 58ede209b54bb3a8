import { expect, test } from 'vitest';
import { trendOf } from './trend.ts';

test('a trend is the slope of what lies on a line', () => {
  const samples = [0, 1, 2, 3].map((at) => ({ at, value: 10 + 3 * at }));
  expect(trendOf(samples)).toEqual({ mean: 14.5, slope: 3, error: 0 });
});

test('what goes up and down about a level has hardly any trend', () => {
  const samples = Array.from({ length: 46 }, (_, at) => ({ at, value: at % 2 === 0 ? 90 : 110 }));
  const { mean, slope, error } = trendOf(samples);
  expect(mean).toBe(100);
  expect(Math.abs(slope)).toBeLessThan(0.05);
  expect(Math.abs(slope)).toBeLessThan(error);
});

test('a slow growth shows through the noise', () => {
  const samples = Array.from({ length: 46 }, (_, at) => ({ at, value: (at % 2) * 5 + at * 0.5 }));
  const { slope, error } = trendOf(samples);
  expect(slope).toBeCloseTo(0.5, 1);
  expect(slope).toBeGreaterThan(10 * error);
});
