/** One thing that a self-test has looked at, in words for the administrator of a PBX. */
export interface Check {
  name: string;
  /** `not_seen`: nothing can be said, because the call had nothing of it. */
  result: 'ok' | 'warning' | 'failed' | 'not_seen';
  /** What was seen. */
  seen: string;
  /** What to change; null where nothing need be. */
  advice: string | null;
}

export const ok = (name: string, seen: string): Check => ({ name, result: 'ok', seen, advice: null });
export const warning = (name: string, seen: string, advice: string): Check => ({
  name,
  result: 'warning',
  seen,
  advice,
});
export const failed = (name: string, seen: string, advice: string): Check => ({
  name,
  result: 'failed',
  seen,
  advice,
});
export const notSeen = (name: string, seen: string, advice: string): Check => ({
  name,
  result: 'not_seen',
  seen,
  advice,
});
