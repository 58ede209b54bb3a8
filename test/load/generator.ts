import { holdBridges } from './bridge-calls.ts';
import { holdCalls } from './held-calls.ts';
import { type Job, JobFailure, type Report, type Result } from './load-job.ts';
import { holdMediaCalls } from './media-calls.ts';
import { overload } from './overload-calls.ts';
import { createSessions } from './sessions.ts';
import { setUpCalls } from './set-ups.ts';
import { setUpSipCalls } from './sip-set-ups.ts';
import { soak } from './soak-calls.ts';
import { holdStreams } from './stream-parties.ts';

/** The load generator, a process of its own: does the job that its argument describes, and reports to its parent. */
const job = JSON.parse(process.argv[2] ?? '') as Job;

const report = (message: Report) => void process.send?.(message);
process.on('disconnect', () => process.exit(1));

try {
  const result = await done(job);
  process.send?.({ type: 'result', result } satisfies Report, () => process.exit(0));
} catch (error) {
  if (!(error instanceof JobFailure)) throw error;
  process.send?.({ type: 'failed', reason: error.message } satisfies Report, () => process.exit(1));
}

async function done(job: Job): Promise<Result> {
  if (job.kind === 'sip set-ups') return setUpSipCalls(job, report);
  if (job.kind === 'soak') return soak(job, report);
  if (job.kind === 'overload') return overload(job, report);
  if (job.kind === 'streams') return holdStreams(job, report);
  if (job.kind === 'bridge') return holdBridges(job, report);
  if (job.kind === 'held calls') return holdCalls(job, await createSessions(job.target, job.calls), report);
  if (job.kind === 'media calls') return holdMediaCalls(job, report);
  const sessionIds = await createSessions(job.target, Math.round(job.perSecond * job.seconds));
  return setUpCalls(job, sessionIds, report);
}
