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

const advising =
  (result: Check['result']) =>
  (name: string, seen: string, advice: string): Check => ({ name, result, seen, advice });

export const warning = advising('warning');
export const failed = advising('failed');
export const notSeen = advising('not_seen');
