const EVERY_MS = 20;

/** Measures how late the main thread is: how much later than it should a timer of 20 ms comes. */
export class LoopDelay {
  readonly #timer: NodeJS.Timeout;
  #last = performance.now();

  /** @param onDelay told each time, s */
  constructor(onDelay: (seconds: number) => void) {
    this.#timer = setInterval(() => {
      const now = performance.now();
      onDelay(Math.max(0, now - this.#last - EVERY_MS) / 1000);
      this.#last = now;
    }, EVERY_MS).unref();
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }
}
