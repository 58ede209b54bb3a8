import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import { callIdOf, type WireMessage } from './wire-message.ts';

/** What is kept at most: of one call its last messages, calls, and bytes of all. */
export interface TraceLimits {
  messagesPerCall: number;
  calls: number;
  bytes: number;
  /** ms that a call without a dialog is kept after its last message. */
  keepMs: number;
}

export const defaultTraceLimits: TraceLimits = {
  messagesPerCall: 50,
  calls: 5_000,
  bytes: 16 * 1024 * 1024,
  keepMs: 600_000,
};

/** The last messages of a call, and how many there were before them. */
export interface CallTrace {
  messages: readonly WireMessage[];
  earlier: number;
}

interface TracedCall {
  messages: WireMessage[];
  earlier: number;
  bytes: number;
  lastAt: number;
  /** Since it was passed over. */
  spoke: boolean;
}

/** Bytes that a message takes besides its text, about. */
const OVERHEAD = 200;
/** What is left of the limits when room was made, and ms between two looks for calls that are over. */
const ROOM = 0.95;
const SWEEP_MS = 10_000;
/** Calls that are passed over at a time; then the oldest goes even if it is up. */
const MAX_PASSED_OVER = 1_000;

/** The messages of the calls of late, by Call-ID. When it is full, a call that was silent for long goes; one that is up stays. */
export class Trace {
  readonly #clock: EngineClock;
  readonly #stats: EngineStats;
  readonly #isUp: (callId: string) => boolean;
  readonly #limits: TraceLimits;
  /** In the order in which they were last passed over; to move a call at each message would cost more than all the rest. */
  readonly #calls = new Map<string, TracedCall>();
  #bytes = 0;
  #sweepAt = 0;

  constructor(
    clock: EngineClock,
    stats: EngineStats,
    isUp: (callId: string) => boolean,
    limits: TraceLimits = defaultTraceLimits,
  ) {
    this.#clock = clock;
    this.#stats = stats;
    this.#isUp = isUp;
    this.#limits = limits;
  }

  add(message: WireMessage): void {
    const found = callIdOf(message.text);
    if (found === undefined) return;
    const call = this.#call(found);
    if (call.messages.length >= this.#limits.messagesPerCall) this.#dropFirst(call);
    call.messages.push(message);
    call.lastAt = this.#clock.monotonic();
    call.spoke = true;
    this.#count(call, sizeOf(message));
    this.#makeRoom();
  }

  /** @returns undefined when nothing is known of such a call (any more) */
  of(callId: string): CallTrace | undefined {
    const call = this.#calls.get(callId);
    if (call === undefined || this.#isOver(callId, call)) return undefined;
    return { messages: [...call.messages], earlier: call.earlier };
  }

  #call(found: string): TracedCall {
    const call = this.#calls.get(found);
    if (call !== undefined) return call;
    // A copy: what was found is a part of the first message, and would keep all of it.
    const callId = Buffer.from(found, 'latin1').toString('latin1');
    const added = { messages: [], earlier: 0, bytes: 0, lastAt: 0, spoke: true };
    this.#calls.set(callId, added);
    return added;
  }

  #dropFirst(call: TracedCall): void {
    const first = call.messages.shift();
    call.earlier += 1;
    if (first !== undefined) this.#count(call, -sizeOf(first));
  }

  #count(call: TracedCall, bytes: number): void {
    call.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Not at each message: to find the first entry of a Map that loses its first entries is slow. */
  #makeRoom(): void {
    const { calls, bytes } = this.#limits;
    const now = this.#clock.monotonic();
    if (this.#calls.size <= calls && this.#bytes <= bytes && now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_MS;
    this.#sweep(calls * ROOM, bytes * ROOM);
  }

  /** Drops what is over for long, and as much else as has to go; passes over what spoke, and over calls that are up. */
  #sweep(maxCalls: number, maxBytes: number): void {
    let patience = MAX_PASSED_OVER;
    for (const [callId, call] of this.#calls) {
      const full = this.#calls.size > maxCalls || this.#bytes > maxBytes;
      const expired = this.#isExpired(call);
      if (!full && (!expired || patience === 0)) return;
      this.#calls.delete(callId);
      if (patience > 0 && ((call.spoke && !expired) || this.#isUp(callId))) {
        patience -= 1;
        call.spoke = false;
        this.#calls.set(callId, call);
      } else {
        this.#bytes -= call.bytes;
        if (!expired) this.#stats.tracesDropped += 1;
      }
    }
  }

  #isExpired(call: TracedCall): boolean {
    return this.#clock.monotonic() - call.lastAt >= this.#limits.keepMs;
  }

  #isOver(callId: string, call: TracedCall): boolean {
    return this.#isExpired(call) && !this.#isUp(callId);
  }
}

const sizeOf = ({ text }: WireMessage): number => text.length + OVERHEAD;
