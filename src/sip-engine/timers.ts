import { type Clock, systemClock } from '../clock.ts';

/** RFC 3261 §17.1.1.1, table 4, in ms: round-trip estimate, longest interval, longest life of a message on the network. */
export const T1 = 500;
export const T2 = 4_000;
export const T4 = 5_000;

/** ms after the latest sign of progress until a call that rings is taken back: more than three minutes (RFC 3261 §16.6, step 11). */
export const TIMER_C_MS = 185_000;
/** After its CANCEL an INVITE has this long to end (RFC 3261 §9.1), ms. */
export const CANCELED_MS = 64 * T1;

/** A delayed call that can still be stopped. */
export interface Timer {
  cancel(): void;
}

/** The one source of time of the engine: clock readings and delayed calls, so that tests can run 64*T1 at once. */
export interface EngineClock extends Clock {
  /** Calls `action` once, `ms` from now. */
  after(ms: number, action: () => void): Timer;
}

/** Node takes a longer delay for one of 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemEngineClock: EngineClock = {
  ...systemClock,
  after(ms, action) {
    const handle = setTimeout(action, Math.min(ms, LONGEST_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};

interface TimerRow {
  /** ms until it fires. */
  ms: number;
  /** A retransmission timer: every interval is twice the one before, at most this many ms. */
  doublesTo?: number;
  /** Over TCP and TLS: not started at all, or due at once. Unset: the same as over UDP. */
  reliable?: 'off' | 'immediate';
}

/**
 * RFC 3261 table 4 with L and M of RFC 6026. C is the end of all patience with a peer that only ever answers
 * provisionally: whoever sent the INVITE has sent a CANCEL by then (`TIMER_C_MS`), and the answer to that has found the
 * transaction.
 */
const timerTable = {
  A: { ms: T1, doublesTo: 64 * T1, reliable: 'off' },
  B: { ms: 64 * T1 },
  C: { ms: 220_000 },
  D: { ms: 64 * T1, reliable: 'immediate' },
  E: { ms: T1, doublesTo: T2, reliable: 'off' },
  F: { ms: 64 * T1 },
  G: { ms: T1, doublesTo: T2, reliable: 'off' },
  H: { ms: 64 * T1 },
  I: { ms: T4, reliable: 'immediate' },
  J: { ms: 64 * T1, reliable: 'immediate' },
  K: { ms: T4, reliable: 'immediate' },
  L: { ms: 64 * T1 },
  M: { ms: 64 * T1 },
} as const satisfies Record<string, TimerRow>;

export type TimerName = keyof typeof timerTable;

export const timerRow = (name: TimerName): TimerRow => timerTable[name];
