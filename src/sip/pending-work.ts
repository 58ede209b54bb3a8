/** Work that waits for an engine. When that is lost, its answers never come, and drachtio-srf forgets them. */
export class PendingWork {
  readonly #waiting = new Map<Promise<void>, (error: Error) => void>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Settles as the work does, or rejects when the engine is lost before. */
  wait<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    work.then(resolve, reject);
    const done = promise.then(
      () => void this.#waiting.delete(done),
      () => void this.#waiting.delete(done),
    );
    this.#waiting.set(done, reject);
    return promise;
  }

  lost(error: Error): void {
    for (const reject of this.#waiting.values()) reject(error);
  }

  /** Resolves when nothing waits any more, or something has settled: to be asked again. */
  async next(): Promise<void> {
    await Promise.race(this.#waiting.keys());
  }
}
