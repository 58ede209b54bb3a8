import type { EngineClock, Timer } from '../../src/sip-engine/timers.ts';

/** A clock that stands still until `advance` moves it; timers fire in order, each at its own time. */
export class FakeEngineClock implements EngineClock {
  #now = 0;
  #timers: { at: number; action: () => void }[] = [];

  /** The wall clock began on 2026-01-01T00:00:00Z. */
  now(): number {
    return Date.UTC(2026, 0, 1) + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, action: () => void): Timer {
    const entry = { at: this.#now + ms, action };
    this.#timers.push(entry);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== entry);
      },
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.action();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Time goes by while the thread is busy: what is due meanwhile comes late. */
  stall(ms: number): void {
    this.#now += ms;
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#timers.length;
  }
}
