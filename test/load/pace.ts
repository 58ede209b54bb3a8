import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls `action` for each number from 0 to `count`, at an even rate by the clock: a late one does not delay those after
 * it. Returns when the last was called.
 */
export async function atRate(
  count: number,
  perSecond: number,
  action: (index: number) => void,
): Promise<void> {
  const startedAt = performance.now();
  for (let next = 0; next < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - startedAt) * perSecond) / 1000) + 1);
    while (next < due) action(next++);
    await sleep(1);
  }
}

/** Turns at an even rate: one that comes late delays those after it, so that they never come in a bunch. */
export class Turns {
  readonly #gapMs: number;
  #due = 0;

  constructor(perSecond: number) {
    this.#gapMs = 1000 / perSecond;
  }

  /** Takes the next turn. @param now ms @returns ms until it is there */
  take(now: number): number {
    const at = Math.max(now, this.#due);
    this.#due = at + this.#gapMs;
    return at - now;
  }
}

/** Runs `action` for each number from 0 to `count`, at most `width` of them at a time. */
export async function inParallel(
  count: number,
  width: number,
  action: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await action(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
