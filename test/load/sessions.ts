import type { Target } from './load-job.ts';
import { inParallel } from './pace.ts';

const AT_ONCE = 8;

/** Of one party, whose call's end is the session's, or of two that are translated. */
type Mode = 'ai_agent' | 'bidirectional_translation';

/** Each has a pipeline link of its own. @returns their ids */
export async function createSessions(
  target: Target,
  count: number,
  mode: Mode = 'ai_agent',
): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, AT_ONCE, async () => {
    ids.push(await createSession(target, mode));
  });
  return ids;
}

async function createSession({ apiUrl, apiKey }: Target, mode: Mode): Promise<string> {
  const response = await fetch(`${apiUrl}/v1/sessions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ mode, routing: { type: 'sip' } }),
  });
  if (response.status !== 201)
    throw new Error(`POST /v1/sessions: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { id: string }).id;
}
