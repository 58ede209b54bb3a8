import { networkOf } from './source-network.ts';

/** A connection that somebody opened to us, or we to somebody. */
export interface TabledConnection {
  /** Numeric address of the other end. */
  readonly address: string;
  /** Whether a call depends on it. */
  inUse(): boolean;
  /** Closes it at once. */
  cut(): void;
}

/**
 * Connections under two caps: those of one source, and all. A source at its cap gets no more. When all places are taken,
 * the source that holds most connections without a call loses the one that was silent for longest, and an exempt source
 * only when there is no other: a flood from some addresses keeps nobody else out.
 */
export class ConnectionTable {
  readonly #max: number;
  readonly #maxPerSource: number;
  readonly #isExempt: (address: string) => boolean;
  /** The one that was silent for longest first. */
  readonly #connections = new Set<TabledConnection>();
  readonly #bySource = new Map<string, number>();

  /** @param isExempt to whom the cap of one source does not apply */
  constructor(max: number, maxPerSource: number, isExempt: (address: string) => boolean = () => false) {
    this.#max = max;
    this.#maxPerSource = maxPerSource;
    this.#isExempt = isExempt;
  }

  get size(): number {
    return this.#connections.size;
  }

  has(connection: TabledConnection): boolean {
    return this.#connections.has(connection);
  }

  /** @returns whether there is a place for it, perhaps one that another has lost */
  add(connection: TabledConnection): boolean {
    const source = networkOf(connection.address);
    const held = this.#bySource.get(source) ?? 0;
    if (held >= this.#maxPerSource && !this.#isExempt(connection.address)) return false;
    if (this.#connections.size >= this.#max && !this.#makeRoom()) return false;
    this.#connections.add(connection);
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    return true;
  }

  /** Something came by it. */
  touch(connection: TabledConnection): void {
    if (this.#connections.delete(connection)) this.#connections.add(connection);
  }

  delete(connection: TabledConnection): void {
    if (!this.#connections.delete(connection)) return;
    const source = networkOf(connection.address);
    const left = (this.#bySource.get(source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, left);
  }

  #makeRoom(): boolean {
    const bySource = new Map<string, { weight: number; oldest: TabledConnection }>();
    let most: { weight: number; oldest: TabledConnection } | undefined;
    for (const connection of this.#connections) {
      if (connection.inUse()) continue;
      const source = networkOf(connection.address);
      const held = bySource.get(source) ?? { weight: 0, oldest: connection };
      if (!this.#isExempt(connection.address)) held.weight += 1;
      bySource.set(source, held);
      if (most === undefined || held.weight > most.weight) most = held;
    }
    if (most === undefined) return false;
    this.delete(most.oldest);
    most.oldest.cut();
    return true;
  }
}
