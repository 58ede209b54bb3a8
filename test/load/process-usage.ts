import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a process has used so far, all its threads together. */
export interface Usage {
  /** User and system time, ms. */
  cpuMs: number;
  /** Time in which a thread could have run but had no core, ms; 0 where the system does not tell. */
  waitedMs: number;
  rssBytes: number;
  /** CPU time by the name of the thread, ms; empty where the system does not tell. */
  threads: Readonly<Record<string, number>>;
}

/** Linux counts CPU time in ticks of 10 ms towards user space, on all machines. */
const TICK_MS = 10;

/** How the gateway's threads are named. */
export const threadNames = {
  main: /^node(-MainThread)?$/,
  media: /^media-/,
  engine: /^sip-engine$/,
} as const;

/** CPU time of the threads with such a name, in the unit of `threads`. */
export function cpuOf(threads: Usage['threads'], name: RegExp): number {
  return Object.entries(threads).reduce((sum, [thread, spent]) => sum + (name.test(thread) ? spent : 0), 0);
}

/** @throws Error when there is no such process */
export function usageOf(pid: number): Usage {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): Usage {
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const threads: Record<string, number> = {};
  let waitedMs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const place = `/proc/${pid}/task/${thread}`;
    const { name, cpuMs } = readStat(`${place}/stat`);
    threads[name] = (threads[name] ?? 0) + cpuMs;
    // The second number: ns in the run queue.
    waitedMs += Number(readFileSync(`${place}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  }
  return { cpuMs: readStat(`/proc/${pid}/stat`).cpuMs, waitedMs, rssBytes: Number(rss) * 1024, threads };
}

/** Of a process or a thread. The second field is the name in parentheses; utime and stime are the 14th and 15th. */
function readStat(file: string): { name: string; cpuMs: number } {
  const stat = readFileSync(file, 'utf8');
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  return {
    name: stat.slice(stat.indexOf('(') + 1, end),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
  };
}

/** `ps` says CPU time as `[[days-]hours:]minutes:seconds`, with fractions on macOS, and memory in kB. */
function fromPs(pid: number): Usage {
  const [rss, time = ''] = execFileSync('ps', ['-o', 'rss=,time=', '-p', String(pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/);
  const seconds = time.split(/[-:]/).reduce((sum, part, i, { length }) => {
    const unit = [1, 60, 3600, 86_400][length - 1 - i] as number;
    return sum + Number(part) * unit;
  }, 0);
  return { cpuMs: seconds * 1000, waitedMs: 0, rssBytes: Number(rss) * 1024, threads: {} };
}
