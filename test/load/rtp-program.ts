import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { createInterface, type Interface } from 'node:readline';

/** What `rtp-generator` says of an interval; times are ms. */
export interface GeneratorReport {
  sent: number;
  received: number;
  /** Missing in the sequence of what came. */
  lost: number;
  /** Could not be sent. */
  failed: number;
  /** Of those sent, came back as they were; 0 where they cannot be known again. */
  returned: number;
  duplicated: number;
  /** |gap between two arrivals - 20 ms|. */
  jitter: { p50: number; p99: number; p999: number };
  /** Share of gaps over 30 ms. */
  lateShare: number;
  /** How late the generator itself was. */
  generatorLate: { p99: number };
  generatorCpuMs: number;
}

/** A stream hears another sound than before. */
export interface SoundChange {
  stream: number;
  /** Wall clock, ms, as the kernel took the packet. */
  at: number;
  /** The byte that fills the packet. */
  sound: number;
}

/**
 * It stands for other machines, which do not wait for a core of this one: before the gateway's media threads, where the
 * system allows it (as root or with CAP_SYS_NICE). Else its own lateness is measured as the gateway's.
 */
function comeFirst(pid: number | undefined): void {
  try {
    setPriority(pid as number, constants.priority.PRIORITY_HIGHEST);
  } catch {
    // It tells how late it was.
  }
}

/** One of the programs in C that hold sockets, of RTP mostly: it says its ports first, and takes orders in lines. */
export class RtpProgram {
  readonly ports: readonly number[];
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, ports: readonly number[]) {
    this.#child = child;
    this.#lines = lines;
    this.ports = ports;
  }

  /** @throws Error when it ends before it has said its ports */
  static async start(path: string, args: readonly (string | number)[]): Promise<RtpProgram> {
    const child = spawn(path, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
    comeFirst(child.pid);
    // It ends by itself when nobody is at the other end any more.
    child.stdin.on('error', () => undefined);
    const lines = (createInterface(child.stdout) as Interface)[Symbol.asyncIterator]();
    const ports = (await nextOf(lines, path)).split(' ').map(Number);
    return new RtpProgram(child, lines, ports);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  order(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async report(): Promise<GeneratorReport> {
    this.order('report');
    return JSON.parse(await nextOf(this.#lines, 'the generator'));
  }

  /** What the streams of `rtp-generator` began to hear since this was asked last. @throws Error when it was too much to keep */
  async sounds(): Promise<SoundChange[]> {
    this.order('sounds');
    const { dropped, changes } = JSON.parse(await nextOf(this.#lines, 'the generator')) as {
      dropped: number;
      changes: [number, number, number][];
    };
    if (dropped > 0) throw new Error(`the generator could not keep ${dropped} changes of sound`);
    return changes.map(([stream, at, sound]) => ({ stream, at, sound }));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}

async function nextOf(lines: AsyncIterator<string>, who: string): Promise<string> {
  const { value, done } = await lines.next();
  if (done) throw new Error(`${who} ended too early`);
  return value;
}
