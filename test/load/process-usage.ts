import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a process has used so far, all its threads together. */
export interface Usage {
  /** User and system time, ms. */
  cpuMs: number;
  /** Time in which a thread could have run but had no core, ms; 0 where the system does not tell. */
  waitedMs: number;
  rssBytes: number;
}

/** Linux counts CPU time in ticks of 10 ms towards user space, on all machines. */
const TICK_MS = 10;

/** @throws Error when there is no such process */
export function usageOf(pid: number): Usage {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name in parentheses; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    waitedMs: waitedMs(pid),
    rssBytes: Number(rss) * 1024,
  };
}

/** The second number of a thread's schedstat: ns in the run queue. */
function waitedMs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1])
      .reduce((sum, ns) => sum + Number(ns) / 1e6, 0);
  } catch {
    return 0;
  }
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
  return { cpuMs: seconds * 1000, waitedMs: 0, rssBytes: Number(rss) * 1024 };
}
