import { signToken } from '../session-token.ts';

/**
 * The address of one connection: `{session_id}` and `{token}` filled in, the token made anew.
 * @param now wall clock, ms
 */
export function addressFor(
  { url, tokenSecret }: { url: string; tokenSecret: string },
  sessionId: string,
  now: number,
): string {
  return url
    .replaceAll('{session_id}', () => encodeURIComponent(sessionId))
    .replaceAll('{token}', () => encodeURIComponent(signToken(tokenSecret, sessionId, now)));
}
