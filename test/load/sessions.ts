import type { StreamAddress } from '../support/stream-kinds.ts';
import type { Target } from './load-job.ts';
import { inParallel } from './pace.ts';
import { request } from './rest.ts';

const AT_ONCE = 8;

/** Of one party, whose call's end is the session's, or of two that are translated. */
type Mode = 'ai_agent' | 'bidirectional_translation';

interface CreatedSession {
  id: string;
  /** What lets clients of streams in. */
  stream: StreamAddress;
}

export function createSession(
  target: Pick<Target, 'apiUrl' | 'apiKey'>,
  mode: Mode = 'ai_agent',
): Promise<CreatedSession> {
  // Some pipelines want to be told the languages.
  const languages = { source_language: 'en', target_language: 'de' };
  const wanted = { mode, routing: { type: 'sip' }, ...languages };
  return request<CreatedSession>(target, 'POST', '/v1/sessions', wanted);
}

/** Each has a pipeline link of its own. @returns their ids */
export async function createSessions(
  target: Pick<Target, 'apiUrl' | 'apiKey'>,
  count: number,
  mode: Mode = 'ai_agent',
): Promise<string[]> {
  const ids: string[] = [];
  await inParallel(count, AT_ONCE, async () => {
    ids.push((await createSession(target, mode)).id);
  });
  return ids;
}
