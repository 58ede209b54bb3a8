import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaCallsJob, MediaCallsResult, Report } from './load-job.ts';
import { codecOf, srtpOffer } from './media-packets.ts';
import { atRate } from './pace.ts';
import { RtpProgram } from './rtp-program.ts';
import { SipCaller, type UpCall } from './sip-caller.ts';

const CALLS_PER_SECOND = 50;
/** Packets on their way have so long to come back, ms. */
const RETURN_MS = 3000;

/**
 * Sets up the calls, has `rtp-generator` send on all of them, and measures an interval of it. This process is idle
 * meanwhile. @throws Error when a call is refused
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
  const calls = await setUp(job, caller, sessionIds, rtp.ports);
  rtp.order(calls.map(({ remotePort }) => remotePort).join(' '));
  await sleep(warmUpSeconds * 1000);

  report({ type: 'begins' });
  rtp.order('measure');
  await sleep(seconds * 1000);
  rtp.order('over');
  report({ type: 'over' });
  const held = calls.length - caller.ended.size;
  // The streams go on meanwhile: nothing changes for the packets that are measured.
  await sleep(RETURN_MS);
  const streams = await rtp.report();
  await caller.hangUpAll(calls);
  await rtp.stop();
  await caller.close();
  return { kind, held, streams };
}

async function setUp(
  { media }: MediaCallsJob,
  caller: SipCaller,
  sessionIds: string[],
  ports: readonly number[],
): Promise<UpCall[]> {
  const offered = { codec: codecOf(media), crypto: media === 'srtp' ? srtpOffer : undefined };
  const work: Promise<UpCall>[] = [];
  await atRate(ports.length, CALLS_PER_SECOND, (i) =>
    work.push(caller.call(sessionIds[i] as string, ports[i] as number, offered)),
  );
  return Promise.all(work);
}
