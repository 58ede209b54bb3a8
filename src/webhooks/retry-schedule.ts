const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Delay before each attempt, ms, counted from the failure of the one before (contract §8). */
const delays: readonly number[] = [
  0,
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  24 * HOUR,
];

/** Each delay is drawn from this much below to this much above the documented one, so that failures spread out. */
const JITTER = 0.1;

/**
 * @param failed attempts that have failed so far, 1 or more
 * @param chance from 0 to 1, as `Math.random` gives it
 * @returns ms until the next attempt, or undefined when the delivery has failed for good
 */
export function retryDelay(failed: number, chance: number): number | undefined {
  const delay = delays[failed];
  return delay && Math.round(delay * (1 - JITTER + 2 * JITTER * chance));
}
