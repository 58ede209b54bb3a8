/**
 * Time as the pure cores see it, so that tests can set it.
 * `now` is the wall clock, `monotonic` never jumps; both in ms.
 */
export interface Clock {
  now(): number;
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
