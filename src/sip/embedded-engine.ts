import type { Log } from '../telemetry/log.ts';
import type { EngineAddress, EngineSource } from './engine-link.ts';

/** What is known here of an engine in a thread of its own; `sip-engine/engine.ts` has all of it. */
interface RunningEngine extends EngineAddress {
  /** The engine has died: with an error, or null after `close`. */
  onExit(listener: (error: Error | null) => void): void;
  close(): Promise<void>;
}

/** The embedded engine, which is started again when it has died. */
export class EmbeddedEngine implements EngineSource {
  readonly name = 'embedded';
  readonly limited = false;
  readonly #start: () => Promise<RunningEngine>;
  readonly #log: Log;
  #engine: RunningEngine | undefined;

  /** @param start throws Error in plain words */
  constructor(start: () => Promise<RunningEngine>, log: Log) {
    this.#start = start;
    this.#log = log;
  }

  async locate(): Promise<EngineAddress> {
    if (this.#engine !== undefined) return this.#engine;
    const engine = await this.#start();
    this.#engine = engine;
    engine.onExit((error) => {
      if (this.#engine === engine) this.#engine = undefined;
      if (error) this.#log.error({ err: error }, 'the SIP engine died; it is started again');
    });
    return engine;
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }
}
