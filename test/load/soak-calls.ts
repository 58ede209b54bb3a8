import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from './load-job.ts';
import { atRate } from './pace.ts';
import { RtpProgram } from './rtp-program.ts';
import { createSessions } from './sessions.ts';
import { ShortCalls, streamsFor } from './short-calls.ts';
import { SipCaller, type UpCall } from './sip-caller.ts';
import type { SoakJob, SoakMoment, SoakResult } from './soak-job.ts';

const CALLS_PER_SECOND = 20;
/** After the last call, until all that belonged to calls should be gone, s. */
const REST_SECONDS = 10;
/** The parent looks at the gateway when it hears of a mark: nothing changes meanwhile. */
const LOOK_MS = 1000;

/**
 * Marks, for the parent to look at the gateway: before the first call, at every `markEvery` of the interval, and a while
 * after the last call. @throws Error when a call that is to be held is refused
 */
export async function soak(job: SoakJob, report: (report: Report) => void): Promise<SoakResult> {
  const { target, calls: count, perSecond, callSeconds, warmUpSeconds, seconds, markEvery } = job;
  const shortStreams = streamsFor(perSecond, callSeconds);
  const rtp = await RtpProgram.start(job.program, [count + shortStreams, job.packets, 0]);
  const caller = await SipCaller.open(target);
  const sessionIds = await createSessions(target, count);
  report({ type: 'mark' });
  await sleep(LOOK_MS);

  const calls = await setUp(caller, sessionIds, rtp);
  const streams = Array.from({ length: shortStreams }, (_, i) => count + i);
  const short = new ShortCalls(streams, callSeconds, { target, caller, rtp });
  const arriving = atRate(perSecond * (warmUpSeconds + seconds), perSecond, () => short.begin());
  await sleep(warmUpSeconds * 1000);
  report({ type: 'begins' });
  rtp.order('measure');
  const moments: SoakMoment[] = [];
  const beganAt = performance.now();
  for (let at = markEvery; at <= seconds; at += markEvery) {
    await sleep(beganAt + at * 1000 - performance.now());
    moments.push(await momentOf(short, rtp));
    report({ type: 'mark' });
  }
  report({ type: 'over' });
  await arriving;
  await short.allOver();
  const held = calls.length - caller.ended.size;
  rtp.order('over');
  moments.push(await momentOf(short, rtp));

  for (let stream = 0; stream < count; stream++) rtp.order(`rest ${stream}`);
  await caller.hangUpAll(calls);
  await sleep(REST_SECONDS * 1000);
  report({ type: 'mark' });
  await sleep(LOOK_MS);
  await rtp.stop();
  const { retransmitted } = caller;
  await caller.close();
  const { setUp: times, failures } = short;
  const setUpTimes = { p50: times.percentile(0.5), p99: times.percentile(0.99), max: times.max };
  return { kind: 'soak', held, moments, setUp: setUpTimes, retransmitted, failures };
}

async function setUp(caller: SipCaller, sessionIds: string[], rtp: RtpProgram): Promise<UpCall[]> {
  const work: Promise<UpCall>[] = [];
  await atRate(sessionIds.length, CALLS_PER_SECOND, (i) =>
    work.push(caller.call(sessionIds[i] as string, rtp.ports[i] as number)),
  );
  const calls = await Promise.all(work);
  rtp.order(calls.map(({ remotePort }) => remotePort).join(' '));
  return calls;
}

async function momentOf({ tried, succeeded, failed }: ShortCalls, rtp: RtpProgram): Promise<SoakMoment> {
  const streams = await rtp.report();
  return { tried, succeeded, failed, streams, rssBytes: process.memoryUsage.rss() };
}
