import { setTimeout as sleep } from 'node:timers/promises';
import { AudioCalls } from './audio-calls.ts';
import { JobFailure, type MediaCallsJob, type MediaCallsResult, type Report } from './load-job.ts';
import { codecOf, srtpOffer } from './media-packets.ts';

/** Packets on their way have so long to come back, ms. */
const RETURN_MS = 3000;

/**
 * Sets up the calls, has `rtp-generator` send on all that are up, and measures an interval of it. This process is idle
 * meanwhile. @throws JobFailure when not one call is up
 */
export async function holdMediaCalls(
  job: MediaCallsJob,
  report: (report: Report) => void,
): Promise<MediaCallsResult> {
  const { kind, media, warmUpSeconds, seconds } = job;
  const offered = { codec: codecOf(media), crypto: media === 'srtp' ? srtpOffer : undefined };
  const calls = await AudioCalls.setUp(job, offered, media === 'PCMU');
  const { rtp, up, triedAgain, failures } = calls;
  await sleep(warmUpSeconds * 1000);

  report({ type: 'begins' });
  rtp.order('measure');
  await sleep(seconds * 1000);
  rtp.order('over');
  report({ type: 'over' });
  const { held } = calls;
  if (held === 0) throw new JobFailure(`the gateway hung up all ${up.length} calls`);
  // The streams go on meanwhile: nothing changes for the packets that are measured.
  await sleep(RETURN_MS);
  const streams = await rtp.report();
  await calls.close();
  return { kind, held, triedAgain, failures, streams };
}
