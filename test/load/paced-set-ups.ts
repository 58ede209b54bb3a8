import { setTimeout as sleep } from 'node:timers/promises';
import { inParallel, Turns } from './pace.ts';
import { RefusedCall } from './sip-caller.ts';

/** Set-ups on a machine that is busy with the calls that are up: so many a second, and so many on their way at once. */
const CALLS_PER_SECOND = 25;
const AT_ONCE = 20;
/** What a gateway says that has no room just now (RFC 3261 §21.5.4), or no pipeline. */
const MAY_PASS = [503, 480];
const MOST_RETRIES = 3;
/** After a refusal without Retry-After; and however much that says, so that a run comes to its end. */
const WAIT_SECONDS = 1;
const LONGEST_WAIT_MS = 5000;
/** Once so many in a row have failed for good, the rest is not tried: the machine is full. */
const GIVE_UP_AFTER = 20;
const NOT_TRIED = 'not tried any more';

export interface PacedSetUps<Call> {
  /** By number; undefined where it could not be set up. */
  calls: (Call | undefined)[];
  /** Set-ups that were refused, and tried again. */
  triedAgain: number;
  /** Why calls could not be set up, and how many. */
  failures: Record<string, number>;
}

const realTime = { now: () => performance.now(), sleep: (ms: number): Promise<unknown> => sleep(ms) };

/** Sets up as many of so many calls as it can. @param setUpOne one of them, by number; what it throws is counted */
export async function setUpPaced<Call>(
  count: number,
  setUpOne: (index: number) => Promise<Call>,
  { now, sleep } = realTime,
): Promise<PacedSetUps<Call>> {
  const result: PacedSetUps<Call> = { calls: Array(count).fill(undefined), triedAgain: 0, failures: {} };
  const turns = new Turns(CALLS_PER_SECOND);
  let failedInARow = 0;
  const attempt = async (index: number, retries: number): Promise<void> => {
    await sleep(turns.take(now()));
    try {
      result.calls[index] = await setUpOne(index);
      failedInARow = 0;
    } catch (error) {
      const waitMs = waitBeforeRetry(error, retries);
      if (waitMs === undefined) {
        failedInARow++;
        countOne(result.failures, (error as Error).message);
        return;
      }
      result.triedAgain++;
      await sleep(waitMs);
      await attempt(index, retries + 1);
    }
  };
  await inParallel(count, AT_ONCE, async (index) => {
    if (failedInARow < GIVE_UP_AFTER) await attempt(index, 0);
    else countOne(result.failures, NOT_TRIED);
  });
  return result;
}

function countOne(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

/** @param retries so far @returns ms; undefined when it is not worth another try */
function waitBeforeRetry(error: unknown, retries: number): number | undefined {
  if (!(error instanceof RefusedCall) || !MAY_PASS.includes(error.status) || retries >= MOST_RETRIES)
    return undefined;
  return Math.min(LONGEST_WAIT_MS, 1000 * (error.retryAfterSeconds ?? WAIT_SECONDS));
}

/** The most frequent first. */
export const inWords = (failures: Readonly<Record<string, number>>): string =>
  Object.entries(failures)
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${count} times ${what}`)
    .join(', ');
