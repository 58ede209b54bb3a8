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

/** The wall clock as it was when this was made, going on without its steps: for what lasts for a time. */
export function steadyClock({ now, monotonic }: Clock): Clock {
  const offset = now() - monotonic();
  return { now: () => offset + monotonic(), monotonic };
}
