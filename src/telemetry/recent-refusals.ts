/** A refused SIP request, as an operator reads it. */
export interface RefusalEntry {
  at: string;
  code: string;
  status: number;
  method: string;
  source: string;
  call_id: string;
  called: string;
  detail: string | null;
}

const KEPT = 500;

/** The last refusals, newest first when listed, in a bounded list (decisions §3). */
export class RecentRefusals {
  readonly #entries: RefusalEntry[] = [];

  add(entry: RefusalEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
  }

  list(): RefusalEntry[] {
    return this.#entries.toReversed();
  }
}
