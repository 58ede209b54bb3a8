import { setTimeout as sleep } from 'node:timers/promises';
import type { CPrograms } from './c-programs.ts';
import { usageOf } from './process-usage.ts';
import { type GeneratorReport, RtpProgram } from './rtp-program.ts';

const RETURN_MS = 500;

/** What the minimal program in C used for the same packets. */
export interface Floor {
  calls: number;
  tookMs: number;
  cpuMs: number;
  streams: GeneratorReport;
}

export interface FloorJob {
  calls: number;
  /** File with the packets. */
  packets: string;
  warmUpSeconds: number;
  seconds: number;
}

/** `rtp-echo` in the gateway's place. */
export async function measureFloor(job: FloorJob, programs: CPrograms, signal: AbortSignal): Promise<Floor> {
  const { calls, packets, warmUpSeconds, seconds } = job;
  const echo = await RtpProgram.start(programs.path('rtp-echo'), [calls]);
  const rtp = await RtpProgram.start(programs.path('rtp-generator'), [calls, packets, 0]);
  try {
    rtp.order(echo.ports.join(' '));
    await sleep(warmUpSeconds * 1000, undefined, { signal });
    const before = usageOf(echo.pid).cpuMs;
    const beganAt = performance.now();
    rtp.order('measure');
    await sleep(seconds * 1000, undefined, { signal });
    rtp.order('over');
    const tookMs = performance.now() - beganAt;
    const cpuMs = usageOf(echo.pid).cpuMs - before;
    await sleep(RETURN_MS);
    return { calls, tookMs, cpuMs, streams: await rtp.report() };
  } finally {
    await Promise.all([rtp.stop(), echo.stop()]);
  }
}
