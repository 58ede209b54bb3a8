import { readdirSync, readFileSync } from 'node:fs';

/** How often this thread looks at the clock, and at how long others wait for a core. */
const TICK_MS = 10;
const LOOK_MS = 100;
/** Nobody hears that somebody is late by so much. */
const CALM_MS = 40;
const TASKS = '/proc/self/task';

/**
 * How late the machine itself is, for tests in real time: when this thread, on which phones speak and listen, gets to run,
 * and how long threads of such names wait for a core (Linux). What a test measures is not asked.
 */
export class Lateness {
  readonly #threads: RegExp;
  readonly #waited = new Map<string, number>();
  readonly #late: { at: number; ms: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastTick = performance.now();
  #lastLook = performance.now();

  /** @param threads names of this process's threads that matter */
  constructor(threads: RegExp) {
    this.#threads = threads;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /**
   * ms over what nobody hears, all together: 0 for a machine on time. It is no bound of the silence that is heard on a late
   * one: threads may be late one after the other, each by what is left out here, and audio that ran dry waits for more at
   * first. @param from `performance.now()` of then
   */
  since(from: number): number {
    return this.#late.reduce((sum, { at, ms }) => (at >= from ? sum + ms : sum), 0);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    this.#note(now, now - this.#lastTick - TICK_MS);
    this.#lastTick = now;
    if (now - this.#lastLook < LOOK_MS) return;
    this.#lastLook = now;
    for (const ms of this.#waits()) this.#note(now, ms);
  }

  #note(at: number, ms: number): void {
    if (ms > CALM_MS) this.#late.push({ at, ms: ms - CALM_MS });
  }

  /** Of each thread since the last look, ms; the second number of `schedstat` is ns in the run queue. */
  #waits(): number[] {
    if (process.platform !== 'linux') return [];
    return readdirSync(TASKS).flatMap((thread) => {
      try {
        if (!this.#threads.test(readFileSync(`${TASKS}/${thread}/comm`, 'utf8').trim())) return [];
        const waited = Number(readFileSync(`${TASKS}/${thread}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
        const before = this.#waited.get(thread) ?? waited;
        this.#waited.set(thread, waited);
        return [waited - before];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
  }
}
