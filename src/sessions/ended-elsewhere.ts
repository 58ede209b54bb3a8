import { StoreUnavailable } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import type { Log } from '../telemetry/log.ts';
import type { Sessions } from './sessions.ts';

export interface EndedElsewhereOptions {
  sessions: Pick<Sessions, 'tellEnded'>;
  /** The sessions that have a bridge on this node. */
  live: () => SessionId[];
  log: Log;
}

/** How soon the end of a session that another node was told of is known here. */
const LOOK_MS = 1000;

/** Where nodes share a database, any of them may be asked to end a session: the one that has its calls looks for it. */
export class EndedElsewhere {
  readonly #options: EndedElsewhereOptions;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  constructor(options: EndedElsewhereOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#looking ??= this.look().finally(() => {
        this.#looking = undefined;
      });
    }, LOOK_MS);
    this.#timer.unref();
  }

  async look(): Promise<void> {
    const { sessions, live, log } = this.#options;
    try {
      await sessions.tellEnded(live());
    } catch (error) {
      // That the store is lost is logged where it is watched.
      if (error instanceof StoreUnavailable) return;
      log.error({ err: error }, 'sessions that ended elsewhere could not be looked for');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }
}
