import { setTimeout as sleep } from 'node:timers/promises';
import { AudioCalls } from './audio-calls.ts';
import { CallCounts, GeneratedCalls } from './generated-calls.ts';
import type { Report } from './load-job.ts';
import type { HeldPhase, OfferedCalls, OverloadJob, OverloadResult, TakenAgain } from './overload-job.ts';
import { createSessions } from './sessions.ts';

/** A new call is tried again and again for so long after the overload. */
const TAKEN_WITHIN_MS = 10_000;
const TRY_EVERY_MS = 250;
/** The parent looks at the gateway when it hears of a mark: the next phase waits for that. */
const LOOK_MS = 1000;

/** Marks the end of each phase. @throws JobFailure when not one call is up */
export async function overload(job: OverloadJob, report: (report: Report) => void): Promise<OverloadResult> {
  const { target, perSecond, seconds } = job;
  // All sessions are there before: none is made while something is measured.
  const shortIds = await createSessions(target, perSecond * seconds);
  const [lastId = ''] = await createSessions(target, 1);
  const short = await GeneratedCalls.open({ target, transport: 'udp', perSecond });
  const held = await AudioCalls.setUp(job);
  await sleep(job.warmUpSeconds * 1000);

  report({ type: 'begins' });
  const before = await phaseOf(held, () => sleep(seconds * 1000));
  report({ type: 'mark' });
  await sleep(LOOK_MS);
  const counts = new CallCounts();
  const under = await phaseOf(held, () => short.run(shortIds.length, counts, (i) => shortIds[i] as string));
  report({ type: 'mark' });
  const again = callUntilTaken(short, lastId);
  const after = await phaseOf(held, () => Promise.all([sleep(seconds * 1000), again]));
  report({ type: 'over' });

  await held.close();
  short.close();
  const phases = [before, under, after] as const;
  return { kind: 'overload', up: held.up.length, phases, offered: offeredOf(counts), again: await again };
}

/** Measures the held calls while something goes on. */
async function phaseOf(calls: AudioCalls, whatGoesOn: () => Promise<unknown>): Promise<HeldPhase> {
  const { rtp } = calls;
  const beganAt = performance.now();
  rtp.order('measure');
  await whatGoesOn();
  rtp.order('over');
  const streams = await rtp.report();
  const seconds = (performance.now() - beganAt) / 1000;
  return { seconds, held: calls.held, streams };
}

function offeredOf({ tried, succeeded, failures, retransmitted, answers, late }: CallCounts): OfferedCalls {
  const answer = { p50: answers.percentile(0.5), p99: answers.percentile(0.99) };
  const generatorLate = { p99: late.percentile(0.99) };
  return { tried, succeeded, failures, retransmitted, answer, generatorLate };
}

/** A refusal leaves the session as it was: the same one is called again. */
async function callUntilTaken(calls: GeneratedCalls, sessionId: string): Promise<TakenAgain> {
  const startedAt = performance.now();
  const counts = new CallCounts();
  for (;;) {
    await calls.run(1, counts, () => sessionId);
    const passed = performance.now() - startedAt;
    const { failures } = counts;
    if (passed > TAKEN_WITHIN_MS) return { failures };
    if (counts.succeeded > 0) return { ms: passed, failures };
    await sleep(TRY_EVERY_MS);
  }
}
