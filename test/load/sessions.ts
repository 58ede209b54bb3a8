import type { Target } from './load-job.ts';
import { inParallel } from './pace.ts';
import { request } from './rest.ts';

const AT_ONCE = 8;

/** Of one party, whose call's end is the session's, or of two that are translated. */
type Mode = 'ai_agent' | 'bidirectional_translation';

/** Each has a pipeline link of its own. @returns their ids */
export async function createSessions(
  target: Pick<Target, 'apiUrl' | 'apiKey'>,
  count: number,
  mode: Mode = 'ai_agent',
): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, AT_ONCE, async () => {
    const wanted = { mode, routing: { type: 'sip' } };
    ids.push((await request<{ id: string }>(target, 'POST', '/v1/sessions', wanted)).id);
  });
  return ids;
}
