import { setTimeout as sleep } from 'node:timers/promises';
import { Histogram } from './histogram.ts';
import type { Target } from './load-job.ts';
import type { RtpProgram } from './rtp-program.ts';
import { createSession } from './sessions.ts';
import type { SipCaller } from './sip-caller.ts';

/** A stream rests so long before the BYE: a packet that comes after it would be refused. */
const QUIET_MS = 100;
/** Set-up and hang-up may take so much longer than the call before streams are missing. */
const SPARE_SECONDS = 6;

/** How many streams so many calls need at a time. */
export const streamsFor = (perSecond: number, callSeconds: number): number =>
  Math.ceil(perSecond * (callSeconds + SPARE_SECONDS));

/** Calls of some seconds each: a session is made, called, spoken in and hung up. */
export class ShortCalls {
  readonly #target: Target;
  readonly #caller: SipCaller;
  readonly #rtp: RtpProgram;
  readonly #callMs: number;
  /** Those of the program that no call has. */
  readonly #streams: number[];
  readonly #running = new Set<Promise<void>>();
  readonly setUp = new Histogram();
  readonly failures: Record<string, number> = {};
  tried = 0;
  succeeded = 0;
  failed = 0;

  /** @param streams numbers of the program's streams that these calls may use */
  constructor(
    streams: number[],
    callSeconds: number,
    parts: { target: Target; caller: SipCaller; rtp: RtpProgram },
  ) {
    this.#streams = streams;
    this.#callMs = callSeconds * 1000;
    this.#target = parts.target;
    this.#caller = parts.caller;
    this.#rtp = parts.rtp;
  }

  begin(): void {
    this.tried++;
    const call = this.#call().then(
      () => {
        this.succeeded++;
      },
      ({ message }: Error) => {
        this.failed++;
        this.failures[message] = (this.failures[message] ?? 0) + 1;
      },
    );
    this.#running.add(call);
    void call.then(() => this.#running.delete(call));
  }

  async allOver(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #call(): Promise<void> {
    // The one that has rested longest: what was still on its way to it has come.
    const stream = this.#streams.shift();
    if (stream === undefined) throw new Error('more calls at once than the generator has streams');
    try {
      const { id } = await createSession(this.#target);
      const call = await this.#caller.call(id, this.#rtp.ports[stream] as number);
      this.setUp.add(call.setUpMs);
      this.#rtp.order(`call ${stream} ${call.remotePort}`);
      await sleep(this.#callMs);
      this.#rtp.order(`rest ${stream}`);
      await sleep(QUIET_MS);
      if (this.#caller.ended.delete(call.dialog.callId)) throw new Error('the gateway hung up');
      await this.#caller.hangUp(call);
    } finally {
      this.#streams.push(stream);
    }
  }
}
