import { networkOf } from '../source-network.ts';
import type { Arrival } from './arrival.ts';
import { FairQueue } from './fair-queue.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import type { Flow } from './transport.ts';

interface InputLimits {
  /** Messages that may wait, of each kind. */
  maxQueued: number;
  /** Of those, the most of one source that is not exempt. */
  maxQueuedPerSource: number;
}

export interface InputQueueParts {
  clock: EngineClock;
  stats: EngineStats;
  limits: InputLimits;
  /** Whether a source is exempt, or has a call up. */
  isKnown(address: string): boolean;
  isExempt(address: string): boolean;
  /** Calls `action` when the sockets have been read again. */
  soon(action: () => void): void;
}

/** ms of work until the sockets are read again: what waits in the kernel is neither sorted nor bounded by source. */
const SLICE_MS = 1;

/** Kinds of messages, each with a queue of its own, in the order in which they are served. */
const KNOWN_CALL = 0;
const CALL = 1;
const KNOWN_NEW = 2;
const NEW = 3;
/** Every so many turns a kind goes first, the last of those that have one, so that none waits for ever. */
const TURNS = [1, 3, 5, 4] as const;

/**
 * What stands between the sockets and the parser. While there is time a message is handled as it comes. In a flood it
 * waits: calls and transactions that there are before new ones, known sources before strangers, and within each the
 * sources take turns, so that who sends much waits long. A source that has too much waiting loses what comes on top; a
 * connection is read no further while something of it waits.
 */
export class InputQueue {
  readonly #parts: InputQueueParts;
  readonly #queues = [0, 1, 2, 3].map(() => new FairQueue<Arrival>());
  /** Connections that are not read now, with how much of them waits. */
  readonly #paused = new Map<Flow, number>();
  /** Monotonic ms until which there is time in this turn; undefined before the first message of a turn. */
  #until: number | undefined;
  #turns = 0;
  #size = 0;
  #delayMs = 0;

  constructor(parts: InputQueueParts) {
    this.#parts = parts;
  }

  /** Handles a message, now or later, or drops it. */
  take(arrival: Arrival): void {
    if (this.#size === 0 && this.#hasTime()) arrival.handle();
    else this.#wait(arrival);
  }

  /**
   * The longest that a known source had to wait since this was last asked, in ms. What a source has sent behind a message
   * of its own does not count: it waited for that.
   */
  takeDelayMs(): number {
    const ms = this.#delayMs;
    this.#delayMs = 0;
    return ms;
  }

  /** Handles at once what still waits: the sockets are about to close, and each request is owed its answer. */
  close(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) next.handle();
  }

  #hasTime(): boolean {
    const now = this.#parts.clock.monotonic();
    if (this.#until !== undefined) return now < this.#until;
    this.#until = now + SLICE_MS;
    this.#parts.soon(() => this.#nextTurn());
    return true;
  }

  #nextTurn(): void {
    this.#until = undefined;
    while (this.#size > 0 && this.#hasTime()) this.#next()?.handle();
  }

  #wait(arrival: Arrival): void {
    const { clock, limits, isExempt, isKnown, stats } = this.#parts;
    const { flow } = arrival;
    const { address } = flow.remote;
    const source = networkOf(address);
    const known = isKnown(address);
    const kind = arrival.isNew() ? (known ? KNOWN_NEW : NEW) : known ? KNOWN_CALL : CALL;
    const queue = this.#queues[kind] as FairQueue<Arrival>;
    // What a connection has brought cannot be sent again: that one is slowed down instead.
    if (flow.pause !== undefined) this.#pause(flow);
    else {
      const mostOfSource = isExempt(address) ? limits.maxQueued : limits.maxQueuedPerSource;
      if (queue.size >= limits.maxQueued || queue.of(source) >= mostOfSource) {
        stats.dropsFlood += 1;
        return;
      }
    }
    queue.add(source, arrival, clock.monotonic());
    this.#count(1);
  }

  #next(): Arrival | undefined {
    this.#turns += 1;
    const first = TURNS.findLastIndex((turns) => this.#turns % turns === 0);
    for (let i = 0; i < this.#queues.length; i += 1) {
      const kind = (first + i) % this.#queues.length;
      const next = this.#queues[kind]?.take();
      if (next === undefined) continue;
      const waited = this.#parts.clock.monotonic() - next.since;
      if (next.alone && (kind === KNOWN_CALL || kind === KNOWN_NEW)) {
        this.#delayMs = Math.max(this.#delayMs, waited);
      }
      this.#count(-1);
      this.#resume(next.item.flow);
      return next.item;
    }
    return undefined;
  }

  #pause(flow: Flow): void {
    const waiting = this.#paused.get(flow) ?? 0;
    if (waiting === 0) flow.pause?.();
    this.#paused.set(flow, waiting + 1);
  }

  #resume(flow: Flow): void {
    const waiting = this.#paused.get(flow);
    if (waiting === undefined) return;
    if (waiting > 1) this.#paused.set(flow, waiting - 1);
    else {
      this.#paused.delete(flow);
      flow.resume?.();
    }
  }

  #count(by: number): void {
    this.#size += by;
    this.#parts.stats.queued = this.#size;
  }
}
