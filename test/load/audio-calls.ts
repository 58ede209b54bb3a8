import { type AudioProgram, JobFailure, type Target } from './load-job.ts';
import { inWords, setUpPaced } from './paced-set-ups.ts';
import { RtpProgram } from './rtp-program.ts';
import { createSessions } from './sessions.ts';
import { type Offered, SipCaller, type UpCall } from './sip-caller.ts';

interface Wanted extends AudioProgram {
  target: Target;
  calls: number;
}

/** Calls that are held, and what sends their audio. */
export class AudioCalls {
  readonly caller: SipCaller;
  readonly rtp: RtpProgram;
  readonly up: readonly UpCall[];
  /** Set-ups that were refused, and tried again. */
  readonly triedAgain: number;
  /** Why calls could not be set up, and how many. */
  readonly failures: Record<string, number>;

  private constructor(
    caller: SipCaller,
    rtp: RtpProgram,
    { up, triedAgain, failures }: Pick<AudioCalls, 'up' | 'triedAgain' | 'failures'>,
  ) {
    this.caller = caller;
    this.rtp = rtp;
    this.up = up;
    this.triedAgain = triedAgain;
    this.failures = failures;
  }

  /**
   * Sets up as many of the calls as it can, and has `rtp-generator` send on all that are up.
   * @param numbered whether packets are known again when they come back @throws JobFailure when not one call is up
   */
  static async setUp(
    { target, calls: count, program, packets }: Wanted,
    offered?: Offered,
    numbered = false,
  ): Promise<AudioCalls> {
    const ids = await createSessions(target, count);
    const rtp = await RtpProgram.start(program, [count, packets, numbered ? 1 : 0]);
    const caller = await SipCaller.open(target);
    const { calls, triedAgain, failures } = await setUpPaced(count, (i) =>
      caller.call(ids[i] as string, rtp.ports[i] as number, offered),
    );
    const up = calls.filter((call) => call !== undefined);
    if (up.length === 0)
      throw new JobFailure(`none of ${count} calls could be set up (${inWords(failures)})`);
    // A stream whose call is not up rests.
    rtp.order(calls.map((call) => call?.remotePort ?? 0).join(' '));
    return new AudioCalls(caller, rtp, { up, triedAgain, failures });
  }

  /** How many the gateway has not hung up. */
  get held(): number {
    return this.up.length - this.caller.ended.size;
  }

  async close(): Promise<void> {
    await this.caller.hangUpAll(this.up);
    await this.rtp.stop();
    await this.caller.close();
  }
}
