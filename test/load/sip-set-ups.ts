import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from 'ulid';
import { CallCounts, GeneratedCalls } from './generated-calls.ts';
import type { Report, SipSetUpsJob, SipSetUpsResult } from './load-job.ts';
import { createSessions } from './sessions.ts';

/** INVITE, 200, ACK and BYE at a steady rate, whether the gateway keeps up or not. */
export async function setUpSipCalls(
  job: SipSetUpsJob,
  report: (report: Report) => void,
): Promise<SipSetUpsResult> {
  const { target, perSecond, warmUpSeconds, seconds } = job;
  const [warmUp, measured] = [warmUpSeconds, seconds].map((s) => Math.round(perSecond * s)) as [
    number,
    number,
  ];
  const ids = job.anySession ? undefined : await createSessions(target, warmUp + measured);
  const generator = await GeneratedCalls.open(job);
  await generator.run(warmUp, new CallCounts(), (i) => ids?.[i] ?? `sess_${ulid()}`);
  const counts = new CallCounts();
  report({ type: 'begins' });
  await generator.run(measured, counts, (i) => {
    if (job.markEvery > 0 && i % job.markEvery === 0) report({ type: 'mark' });
    return ids?.[warmUp + i] ?? `sess_${ulid()}`;
  });
  report({ type: 'over' });
  await sleep(job.restSeconds * 1000);
  report({ type: 'mark' });
  generator.close();
  const { times, late, tried, succeeded, retransmitted, failures } = counts;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => times.percentile(share)) as [
    number,
    number,
    number,
  ];
  const generatorLate = { p99: late.percentile(0.99) };
  const setUp = { p50, p95, p99, max: times.max };
  return { kind: 'sip set-ups', tried, succeeded, retransmitted, setUp, failures, generatorLate };
}
