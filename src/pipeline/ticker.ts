import type { Clock } from '../clock.ts';

const INTERVAL_MS = 10;

export interface Ticked {
  /** @param now monotonic, ms @param wallClock ms */
  tick(now: number, wallClock: number): void;
}

/** One timer for all its members: it runs while there is one, every 10 ms as far as the event loop keeps up. */
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
    const now = this.#clock.monotonic();
    const wallClock = this.#clock.now();
    for (const member of this.#members) member.tick(now, wallClock);
  }
}
