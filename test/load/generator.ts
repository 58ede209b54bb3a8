import { holdCalls } from './held-calls.ts';
import type { Job, Report, Target } from './load-job.ts';
import { inParallel } from './pace.ts';
import { setUpCalls } from './set-ups.ts';

/** The load generator, a process of its own: does the job that its argument describes, and reports to its parent. */
const job = JSON.parse(process.argv[2] ?? '') as Job;
const SESSIONS_AT_ONCE = 8;

const report = (message: Report) => void process.send?.(message);
process.on('disconnect', () => process.exit(1));

/** A session of one party: its call has a pipeline link of its own, and its end is the session's. */
async function createSession({ apiUrl, apiKey }: Target): Promise<string> {
  const response = await fetch(`${apiUrl}/v1/sessions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ mode: 'ai_agent', routing: { type: 'sip' } }),
  });
  if (response.status !== 201)
    throw new Error(`POST /v1/sessions: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { id: string }).id;
}

const count = job.kind === 'held calls' ? job.calls : Math.round(job.perSecond * job.seconds);
const sessionIds: string[] = [];
await inParallel(count, SESSIONS_AT_ONCE, async () => {
  sessionIds.push(await createSession(job.target));
});
const result =
  job.kind === 'held calls'
    ? await holdCalls(job, sessionIds, report)
    : await setUpCalls(job, sessionIds, report);
process.send?.({ type: 'result', result } satisfies Report, () => process.exit(0));
