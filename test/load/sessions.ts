import type { Target } from './load-job.ts';
import { inParallel } from './pace.ts';

const AT_ONCE = 8;

/** Sessions of one party: a call to each has a pipeline link of its own, and its end is the session's. @returns their ids */
export async function createSessions(target: Target, count: number): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, AT_ONCE, async () => {
    ids.push(await createSession(target));
  });
  return ids;
}

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
