/**
 * The sending clock of a worker, as a pure core: time is cut into slots of 5 ms that are counted from a monotonic
 * origin, so that no rounding of a timer ever adds up to drift. A leg sends at every fourth slot (20 ms), and legs are
 * spread over the four. RTP timestamps are made from slot numbers too (decisions §5).
 */
export const SLOT_MS = 5;
/** After a stall, packets that are due for longer than this are never sent: late audio is worse than a gap. */
const CATCH_UP_MS = 100;

const CATCH_UP_SLOTS = CATCH_UP_MS / SLOT_MS;

export class Pacer {
  readonly #origin: number;
  #done = 0;
  #skipped = 0;

  /** @param now monotonic ms; slot 1 is due 5 ms later */
  constructor(now: number) {
    this.#origin = now;
  }

  /** The number of the last slot that was given out. */
  get slot(): number {
    return this.#done;
  }

  /** How many slots have been left out. */
  get skipped(): number {
    return this.#skipped;
  }

  /** After a rest: the slots that were due meanwhile were nobody's. */
  resume(now: number): void {
    this.#done = Math.max(this.#done, Math.floor((now - this.#origin) / SLOT_MS));
  }

  /** ms since the next slot was due; below 0 while it is not. */
  lateness(now: number): number {
    return now - this.#origin - (this.#done + 1) * SLOT_MS;
  }

  /**
   * Takes the next slot that is due; its number is then in `slot`. What is overdue by more than 100 ms is left out.
   * @returns false when none is due
   */
  take(now: number): boolean {
    const due = Math.floor((now - this.#origin) / SLOT_MS);
    if (due <= this.#done) return false;
    const next = Math.max(this.#done + 1, due - CATCH_UP_SLOTS + 1);
    this.#skipped += next - this.#done - 1;
    this.#done = next;
    return true;
  }

  /** ms until the next slot is due, 0 when one is due now. */
  delay(now: number): number {
    return Math.max(0, -this.lateness(now));
  }
}

const PHASES = 4;

/** Which legs send at which slot: new ones go where the fewest are, so that they do not all fire at once. */
export class Schedule<Leg> {
  /** One set per slot in 20 ms. A leg with shorter packets is in two or in all of them. */
  readonly #phases: Set<Leg>[] = Array.from({ length: PHASES }, () => new Set<Leg>());
  readonly #phaseOf = new Map<Leg, number>();

  /** Takes a leg that sends every 20 ms. */
  add(leg: Leg): void {
    const sizes = this.#phases.map((legs) => legs.size);
    this.#phaseOf.set(leg, sizes.indexOf(Math.min(...sizes)));
    this.setPeriod(leg, PHASES);
  }

  /** @param period slots between two packets: 4, 2 or 1 */
  setPeriod(leg: Leg, period: number): void {
    const phase = this.#phaseOf.get(leg);
    if (phase === undefined) return;
    this.#phases.forEach((legs, i) => {
      if ((i - phase + PHASES) % period === 0) legs.add(leg);
      else legs.delete(leg);
    });
  }

  remove(leg: Leg): void {
    this.#phaseOf.delete(leg);
    for (const legs of this.#phases) legs.delete(leg);
  }

  at(slot: number): ReadonlySet<Leg> {
    return this.#phases[slot % PHASES] as Set<Leg>;
  }
}
