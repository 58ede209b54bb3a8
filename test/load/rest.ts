import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from './load-job.ts';

/** A gateway lets so many requests through in a minute; waiting for a place takes no longer than this. */
const MAX_WAITS = 20;
const MAX_WAIT_SECONDS = 60;

/** A request with an API key. Where there were too many it waits, as it is told. @throws Error naming another status than the 2xx */
export async function request<Answer>(
  { apiUrl, apiKey }: Pick<Target, 'apiUrl' | 'apiKey'>,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Answer> {
  for (let waits = 0; ; waits++) {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${apiKey}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (response.ok) return (await response.json()) as Answer;
    const text = await response.text();
    if (response.status !== 429 || waits >= MAX_WAITS)
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
    const seconds = Number(response.headers.get('retry-after') ?? 1);
    await sleep(Math.min(MAX_WAIT_SECONDS, Math.max(1, seconds)) * 1000);
  }
}
