import { describe, expect, test } from 'vitest';
import { retryDelay } from '../../src/webhooks/retry-schedule.ts';

describe('the retry schedule', () => {
  test('is the documented one, and ends after the eighth attempt', () => {
    const minutes = [1, 2, 3, 4, 5, 6, 7].map((failed) => (retryDelay(failed, 0.5) ?? 0) / 60_000);
    expect(minutes).toEqual([1, 5, 30, 120, 300, 600, 1440]);
    expect(retryDelay(8, 0.5)).toBeUndefined();
    expect(retryDelay(9, 0.5)).toBeUndefined();
  });

  test('spreads each delay by a tenth to both sides', () => {
    expect(retryDelay(1, 0)).toBe(54_000);
    expect(retryDelay(1, 1)).toBe(66_000);
  });
});
