import { memoryInUse } from '../telemetry/memory-in-use.ts';
import type { Load } from './load.ts';
import type { EngineClock, Timer } from './timers.ts';

const EVERY_MS = 50;
/** Memory is looked at less often. */
const MEMORY_EVERY = 20;

/** Tells `load` every 50 ms how late the event loop is, and every second how much memory is left. */
export class LoadProbe {
  readonly #clock: EngineClock;
  readonly #load: Load;
  readonly #queueDelayMs: () => number;
  readonly #memoryShare: () => number;
  #due: number;
  #timer: Timer;
  #samples = 0;

  constructor(clock: EngineClock, load: Load, queueDelayMs: () => number, memoryShare = memoryInUse) {
    this.#clock = clock;
    this.#load = load;
    this.#queueDelayMs = queueDelayMs;
    this.#memoryShare = memoryShare;
    this.#due = clock.monotonic() + EVERY_MS;
    this.#timer = clock.after(EVERY_MS, () => this.#sample());
  }

  close(): void {
    this.#timer.cancel();
  }

  #sample(): void {
    const now = this.#clock.monotonic();
    this.#load.delay(Math.max(now - this.#due, this.#queueDelayMs()));
    this.#samples += 1;
    if (this.#samples % MEMORY_EVERY === 0) this.#load.memory(this.#memoryShare());
    this.#due = now + EVERY_MS;
    this.#timer = this.#clock.after(EVERY_MS, () => this.#sample());
  }
}
