/** When what has happened to a leg, wall clock in ms; null: it has not. The first time counts. */
export class LegTimeline {
  readonly #now: () => number;
  ringingAt: number | null = null;
  answeredAt: number | null = null;
  acknowledgedAt: number | null = null;
  firstAudioInAt: number | null = null;
  endedAt: number | null = null;
  #holds = 0;
  #heldMs = 0;
  #heldSince: number | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  rings(): void {
    this.ringingAt ??= this.#now();
  }

  answered(): void {
    this.answeredAt ??= this.#now();
  }

  acknowledged(): void {
    this.acknowledgedAt ??= this.#now();
  }

  audioCame(at: number): void {
    this.firstAudioInAt ??= at;
  }

  ended(): void {
    this.hold(false);
    this.endedAt ??= this.#now();
  }

  /** The peer has put us on hold, or takes us back. */
  hold(held: boolean): void {
    if (held === (this.#heldSince !== null)) return;
    const now = this.#now();
    if (this.#heldSince !== null) this.#heldMs += now - this.#heldSince;
    else this.#holds++;
    this.#heldSince = held ? now : null;
  }

  /** How often it was on hold. */
  get holds(): number {
    return this.#holds;
  }

  /** For how long in all, ms. */
  get heldMs(): number {
    return this.#heldMs + (this.#heldSince === null ? 0 : this.#now() - this.#heldSince);
  }
}
