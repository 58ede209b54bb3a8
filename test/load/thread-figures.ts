import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ThreadFigures {
  /** By how much the event loop was late at worst, ms. */
  loopDelayMs: number;
  /** Of the garbage collector: the longest pause and all together, ms. */
  gcLongestMs: number;
  gcTotalMs: number;
  /** Once a second. */
  memory: readonly ThreadMemory[];
}

/** What a thread has of its own at a moment (wall clock, ms), and what the process has. */
interface ThreadMemory {
  at: number;
  heapBytes: number;
  externalBytes: number;
  rssBytes: number;
}

/** The threads of a process, as `thread-watch.ts` writes them down in it. */
export class ThreadWatch {
  readonly #folder = mkdtempSync(join(tmpdir(), 'thread-watch-'));
  /** Not as options of the command line: those do not reach every thread. */
  readonly environment: Record<string, string> = {
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${new URL('./thread-watch.ts', import.meta.url).href}`,
    LOAD_THREAD_WATCH: this.#folder,
  };

  /** @param collectMs ms after which all threads collect their garbage, again and again; when they like where it is absent */
  constructor(collectMs?: number) {
    if (collectMs !== undefined) this.environment.LOAD_COLLECT_MS = `${collectMs}`;
  }

  /** @param from wall clock, ms @returns by the name of the thread */
  since(from: number): Record<string, ThreadFigures> {
    return Object.fromEntries(readdirSync(this.#folder).map((name) => [name, this.#figuresOf(name, from)]));
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #figuresOf(name: string, from: number): ThreadFigures {
    const memory: ThreadMemory[] = [];
    const figures = { loopDelayMs: 0, gcLongestMs: 0, gcTotalMs: 0, memory };
    for (const line of readFileSync(join(this.#folder, name), 'utf8').trim().split('\n')) {
      const [at = 0, late = 0, longest = 0, all = 0, heapBytes = 0, externalBytes = 0, rssBytes = 0] = line
        .split(' ')
        .map(Number);
      if (at < from) continue;
      memory.push({ at, heapBytes, externalBytes, rssBytes });
      figures.loopDelayMs = Math.max(figures.loopDelayMs, late);
      figures.gcLongestMs = Math.max(figures.gcLongestMs, longest);
      figures.gcTotalMs += all;
    }
    return figures;
  }
}
