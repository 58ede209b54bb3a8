/**
 * Whether this node has room for new calls, a pure core: what is measured goes in, and which resources are exhausted
 * comes out. One of them is enough to refuse new calls (decisions §3, row 1).
 */

/**
 * How a resource is judged. `resumes`: share of its limit at which an exhausted one counts as free again, so that nothing
 * flaps. `smooth`: what is told of it is a sample of something that jumps.
 */
const table = {
  /** Legs that are up or being set up. */
  calls: { resumes: 0.95, smooth: false },
  /** Pairs of RTP ports in use. */
  rtp_ports: { resumes: 0.95, smooth: false },
  /** ms that the main thread is late. */
  event_loop_delay_ms: { resumes: 0.5, smooth: true },
  /** ms that the SIP engine is late, smoothed there. */
  engine_delay_ms: { resumes: 0.5, smooth: false },
  /** ms that the packets of a new call would leave late. */
  media_delay_ms: { resumes: 0.5, smooth: true },
  /** Share of the time in which the thread that a new call would come to is busy. */
  media_busy_percent: { resumes: 0.9, smooth: true },
  /** Share of the memory that this process may have. */
  memory_percent: { resumes: 0.95, smooth: false },
} as const satisfies Record<string, { resumes: number; smooth: boolean }>;

export type Resource = keyof typeof table;
export const resources = Object.keys(table) as Resource[];

/** Of one sample in the smoothed value, of ten a second: a single stall refuses nobody. */
const WEIGHT = 0.1;
/** What a sample counts for at most, as a multiple of the limit, for the same reason. */
const MOST_LIMITS = 5;

export interface ResourceState {
  /** As it is now, smoothed where that is said. */
  value: number;
  /** From here on it is exhausted. */
  limit: number;
  exhausted: boolean;
}

export class Capacity {
  readonly #states: Readonly<Record<Resource, ResourceState>>;

  constructor(limits: Readonly<Record<Resource, number>>) {
    const entries = resources.map((name) => [name, { value: 0, limit: limits[name], exhausted: false }]);
    this.#states = Object.fromEntries(entries) as Record<Resource, ResourceState>;
  }

  /** @returns whether the resource has become exhausted, or free again, by it */
  tell(name: Resource, measured: number): boolean {
    const { resumes, smooth } = table[name];
    const state = this.#states[name];
    const { value, limit, exhausted } = state;
    const sample = Math.min(measured, MOST_LIMITS * limit);
    state.value = smooth ? value + (sample - value) * WEIGHT : measured;
    state.exhausted = state.value >= limit || (exhausted && state.value > limit * resumes);
    return state.exhausted !== exhausted;
  }

  /** @param but what does not matter @returns whether there is too little left of anything else */
  isExhausted(but?: Resource): boolean {
    return resources.some((name) => name !== but && this.#states[name].exhausted);
  }

  state(name: Resource): Readonly<ResourceState> {
    return this.#states[name];
  }
}
