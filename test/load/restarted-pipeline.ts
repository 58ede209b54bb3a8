import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** When one process was killed and the next one listened, wall clock, ms. */
export interface Outage {
  from: number;
  to: number;
}

/** `bridge-pipeline.ts` on one port, one process after the other. */
export class RestartedPipeline {
  readonly #port: number;
  readonly #file: string;
  #child: ChildProcess;
  /** How many processes there have been. */
  generations = 1;

  private constructor(port: number, file: string, child: ChildProcess) {
    this.#port = port;
    this.#file = file;
    this.#child = child;
  }

  /** @param file to which the processes add what they take */
  static async start(port: number, file: string): Promise<RestartedPipeline> {
    const child = await loaded(port, file, 0);
    await listening(child);
    return new RestartedPipeline(port, file, child);
  }

  /** The next process is loaded before: what is measured is the outage alone. */
  async restart(outageMs: number): Promise<Outage> {
    const next = await loaded(this.#port, this.#file, this.generations++);
    const exited = once(this.#child, 'exit');
    const from = Date.now();
    this.#child.kill('SIGKILL');
    this.#child = next;
    await Promise.all([exited, sleep(outageMs)]);
    return { from, to: await listening(next) };
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

async function loaded(port: number, file: string, generation: number): Promise<ChildProcess> {
  const place = join(import.meta.dirname, 'bridge-pipeline.ts');
  const child = fork(place, [String(port), file, String(generation)], { execArgv: [] });
  await told(child);
  return child;
}

/** @returns the wall clock, ms, from which on it listens */
async function listening(child: ChildProcess): Promise<number> {
  child.send('listen');
  return ((await told(child)) as { at: number }).at;
}

/** @throws Error when it ends instead */
async function told(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the pipeline's process ended too early, with ${code}`);
  });
  ended.catch(() => undefined);
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message;
}
