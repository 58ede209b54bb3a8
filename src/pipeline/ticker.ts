import type { Clock } from '../clock.ts';

const INTERVAL_MS = 2;

export interface Ticked {
  /** When it is to be called next, `performance.now()`; the ticker keeps it. */
  dueAt: number;
  /** @param now monotonic, ms @returns ms for which it need not be called again */
  tick(now: number): number;
}

/** One timer for all its members: it runs while there is one, every 2 ms as far as the event loop keeps up. */
export class Ticker<Member extends Ticked> {
  readonly #clock: Clock;
  readonly #members = new Set<Member>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get members(): readonly Member[] {
    return [...this.#members];
  }

  add(member: Member): void {
    this.#members.add(member);
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS);
  }

  remove(member: Member): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const at = performance.now();
    const now = this.#clock.monotonic();
    for (const member of this.#members) {
      if (member.dueAt <= at) member.dueAt = at + member.tick(now);
    }
  }
}
