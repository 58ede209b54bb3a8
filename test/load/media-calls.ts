import { setTimeout as sleep } from 'node:timers/promises';
import { JobFailure, type MediaCallsJob, type MediaCallsResult, type Report } from './load-job.ts';
import { codecOf, srtpOffer } from './media-packets.ts';
import { inWords, type PacedSetUps, setUpPaced } from './paced-set-ups.ts';
import { RtpProgram } from './rtp-program.ts';
import { SipCaller, type UpCall } from './sip-caller.ts';

/** Packets on their way have so long to come back, ms. */
const RETURN_MS = 3000;

/**
 * Sets up the calls, has `rtp-generator` send on all that are up, and measures an interval of it. This process is idle
 * meanwhile. @throws JobFailure when not one call is up
 */
export async function holdMediaCalls(
  job: MediaCallsJob,
  sessionIds: string[],
  report: (report: Report) => void,
): Promise<MediaCallsResult> {
  const { kind, calls: count, program, packets, warmUpSeconds, seconds } = job;
  const isNumbered = kind === 'media calls' && job.media === 'PCMU';
  const rtp = await RtpProgram.start(program, [count, packets, isNumbered ? 1 : 0]);
  const caller = await SipCaller.open(job.target);
  const { calls, triedAgain, failures } = await setUp(job, caller, sessionIds, rtp.ports);
  const up = calls.filter((call) => call !== undefined);
  if (up.length === 0) throw new JobFailure(`none of ${count} calls could be set up (${inWords(failures)})`);
  // A stream whose call is not up rests.
  rtp.order(calls.map((call) => call?.remotePort ?? 0).join(' '));
  await sleep(warmUpSeconds * 1000);

  report({ type: 'begins' });
  rtp.order('measure');
  await sleep(seconds * 1000);
  rtp.order('over');
  report({ type: 'over' });
  const held = up.length - caller.ended.size;
  if (held === 0) throw new JobFailure(`the gateway hung up all ${up.length} calls`);
  // The streams go on meanwhile: nothing changes for the packets that are measured.
  await sleep(RETURN_MS);
  const streams = await rtp.report();
  await caller.hangUpAll(up);
  await rtp.stop();
  await caller.close();
  return { kind, held, triedAgain, failures, streams };
}

function setUp(
  { media }: MediaCallsJob,
  caller: SipCaller,
  sessionIds: string[],
  ports: readonly number[],
): Promise<PacedSetUps<UpCall>> {
  const offered = { codec: codecOf(media), crypto: media === 'srtp' ? srtpOffer : undefined };
  return setUpPaced(ports.length, (i) => caller.call(sessionIds[i] as string, ports[i] as number, offered));
}
