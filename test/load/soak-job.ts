import type { AudioProgram, Target } from './load-job.ts';
import type { GeneratorReport } from './rtp-program.ts';

/** Calls that are held, and beside them short ones that come and go, all with audio by the program in C. */
export interface SoakJob extends AudioProgram {
  kind: 'soak';
  target: Target;
  /** That are up all the time. */
  calls: number;
  /** Short calls. */
  perSecond: number;
  callSeconds: number;
  warmUpSeconds: number;
  seconds: number;
  /** s from one look at everything to the next. */
  markEvery: number;
}

/** At a mark: counts are since the beginning; packets are those of the measured interval. */
export interface SoakMoment {
  tried: number;
  succeeded: number;
  failed: number;
  streams: GeneratorReport;
  /** The generator's own. */
  rssBytes: number;
}

export interface SoakResult {
  kind: 'soak';
  /** Calls that were up from the first to the last moment of the interval. */
  held: number;
  /** The last moment is after all calls. */
  moments: readonly SoakMoment[];
  /** INVITE to 200 of the short calls, ms. */
  setUp: { p50: number; p99: number; max: number };
  retransmitted: number;
  /** What went wrong with short calls, and how often. */
  failures: Readonly<Record<string, number>>;
}
