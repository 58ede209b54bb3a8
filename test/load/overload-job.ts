import type { AudioProgram, Target } from './load-job.ts';
import type { GeneratorReport } from './rtp-program.ts';

/** Calls that are held; then beside them more short ones are offered than the machine can take; then they are alone again. */
export interface OverloadJob extends AudioProgram {
  kind: 'overload';
  target: Target;
  /** That are to be up all the time, with audio. */
  calls: number;
  warmUpSeconds: number;
  /** Of each of the three phases; that of the overload lasts until the last short call is over. */
  seconds: number;
  /** Short calls that are offered: INVITE, 200, ACK, BYE, or INVITE and a refusal. */
  perSecond: number;
}

/** What the held calls had in a phase. */
export interface HeldPhase {
  seconds: number;
  /** Calls that were still up at its end. */
  held: number;
  streams: GeneratorReport;
}

/** What became of the short calls; times are ms. */
export interface OfferedCalls {
  tried: number;
  /** 200 to INVITE and 200 to BYE. */
  succeeded: number;
  /** What went wrong, refusals among it (`INVITE: 503`), and how often. */
  failures: Readonly<Record<string, number>>;
  retransmitted: number;
  /** INVITE to its final answer, 200 or another. */
  answer: { p50: number; p99: number };
  /** How late the generator itself was with an INVITE. */
  generatorLate: { p99: number };
}

export interface OverloadResult {
  kind: 'overload';
  /** Calls that could be set up to be held; at least one. */
  up: number;
  /** Before, under and after the overload. */
  phases: readonly [HeldPhase, HeldPhase, HeldPhase];
  offered: OfferedCalls;
  again: TakenAgain;
}

/** A new call after the overload, tried until it was taken. */
export interface TakenAgain {
  /** From the end of the last short call until it had been taken and hung up, ms; absent: not in time. */
  ms?: number | undefined;
  /** What became of it before, and how often. */
  failures: Readonly<Record<string, number>>;
}
