import type { Clock } from '../clock.ts';

const INTERVAL_MS = 2;
/** Ticks in which every member is called at least once. */
const SLOTS = 32;

export interface Ticked {
  /** @param now monotonic, ms @returns ms for which it need not be called again */
  tick(now: number): number;
}

/**
 * One timer for all its members: it runs while there is one, every 2 ms as far as the event loop keeps up. The members
 * lie in a wheel of slots, one for each tick, so that a tick looks at those that are due and at no others.
 */
export class Ticker<Member extends Ticked> {
  readonly #clock: Clock;
  readonly #members = new Set<Member>();
  readonly #slots: Member[][] = Array.from({ length: SLOTS }, () => []);
  /** Empty; takes the place of the slot that is being worked off. */
  #spare: Member[] = [];
  /** The tick that was worked off last, and when the first was, `performance.now()`. */
  #tick = 0;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get members(): readonly Member[] {
    return [...this.#members];
  }

  add(member: Member): void {
    if (this.#members.has(member)) return;
    this.#members.add(member);
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#turn(), INTERVAL_MS);
      this.#startedAt = performance.now() - this.#tick * INTERVAL_MS;
    }
    this.#slot(this.#tick + 1).push(member);
  }

  remove(member: Member): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const slot of this.#slots) slot.length = 0;
  }

  /** Works off the slots of the time that has passed; of a longer pause each once. */
  #turn(): void {
    const now = this.#clock.monotonic();
    const tick = Math.floor((performance.now() - this.#startedAt) / INTERVAL_MS);
    this.#tick = Math.max(this.#tick, tick - SLOTS);
    while (this.#tick < tick && this.#timer !== undefined) this.#workOff(++this.#tick, tick, now);
  }

  /** @param current the tick that it is by now, from which on members rest */
  #workOff(tick: number, current: number, now: number): void {
    const due = this.#slot(tick);
    this.#slots[tick % SLOTS] = this.#spare;
    for (const member of due) {
      if (!this.#members.has(member)) continue;
      const rest = Math.ceil(member.tick(now) / INTERVAL_MS);
      const most = tick + SLOTS - 1;
      this.#slot(Math.min(most, current + Math.max(1, rest))).push(member);
    }
    due.length = 0;
    this.#spare = due;
  }

  #slot(tick: number): Member[] {
    return this.#slots[tick % SLOTS] as Member[];
  }
}
