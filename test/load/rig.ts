import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateFile, keyFile } from '../support/certificates.ts';
import { noRateLimit } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { CallTransportName } from './call-transport.ts';
import type { Job, Report, Result, Target } from './load-job.ts';
import { type Usage, usageOf } from './process-usage.ts';

const apiKey = 'sk_test_load_0123456789';
/** Above what any job holds: the limits are not what is measured. */
const MAX_CALLS = 10_000;
const tokenSecret = 'load-test-token-secret';

type JobWithoutTarget = Job extends infer Each ? (Each extends Job ? Omit<Each, 'target'> : never) : never;

/** What the process that is measured used while a job was measured. */
export interface Measured {
  result: Result;
  /** ms that the interval lasted. */
  tookMs: number;
  cpuMs: number;
  /** ms in which its threads had to wait for a core. */
  waitedMs: number;
  /** `cpuMs` by thread. */
  threads: Readonly<Record<string, number>>;
  rssBytes: number;
  /** Before the job. */
  idleRssBytes: number;
  /** At the moments that the job marks. */
  markedRssBytes: readonly number[];
  /** By how much the event loop of a thread was late at worst, ms; empty unless that is watched. */
  loopDelayMs: Readonly<Record<string, number>>;
}

export interface RigOptions {
  /** Of the measured process's node, to profile it. */
  nodeOptions: string[];
  /** Ends everything early. */
  signal: AbortSignal;
  /** The whole gateway, or its signalling alone, with stubs for all else (`gateway`). */
  subject?: 'gateway' | 'signalling';
  /** Where SIP comes by (`udp`). */
  transport?: CallTransportName;
  /** Also watches the event loops of all its threads. */
  watchLoops?: boolean;
}

/**
 * Does one job with a fresh gateway. Gateway, echo pipeline and generator are a process each; only the gateway's is
 * measured.
 */
export async function measure(job: JobWithoutTarget, options: RigOptions): Promise<Measured> {
  const { subject = 'gateway', watchLoops = false, signal } = options;
  signal.throwIfAborted();
  const loops = watchLoops ? new LoopDelays() : undefined;
  const subjectOf = subject === 'gateway' ? startWholeGateway : startSignalling;
  const { target, pid, stop } = await subjectOf(options, loops);
  try {
    const { beganAt, ...measured } = await run({ ...job, target } as Job, pid, signal);
    return { ...measured, loopDelayMs: loops?.worstSince(beganAt) ?? {} };
  } finally {
    await stop();
    loops?.close();
  }
}

/** What is measured, running. */
interface Subject {
  target: Target;
  pid: number;
  stop(): Promise<void>;
}

async function startWholeGateway(options: RigOptions, loops: LoopDelays | undefined): Promise<Subject> {
  const { nodeOptions, transport = 'udp' } = options;
  const pipeline = fork(join(import.meta.dirname, 'pipeline-process.ts'), [tokenSecret], { execArgv: [] });
  try {
    const [{ url }] = (await once(pipeline, 'message')) as [{ url: string }];
    const gateway = GatewayProcess.start({
      by: 'node',
      settings: settings(url, transport),
      nodeOptions: [...nodeOptions, ...(loops?.nodeOptions ?? [])],
      environment: loops?.environment ?? {},
    });
    const stop = async () => {
      await gateway.stop();
      pipeline.kill();
    };
    const { api, sip } = await gateway.ready().catch(async (error) => {
      await stop();
      throw error;
    });
    const target = { apiUrl: api, apiKey, sip: addressOf(sip) };
    return { target, pid: gateway.child.pid as number, stop };
  } catch (error) {
    pipeline.kill();
    throw error;
  }
}

async function startSignalling(options: RigOptions, loops: LoopDelays | undefined): Promise<Subject> {
  const { nodeOptions, transport = 'udp' } = options;
  const child = fork(join(import.meta.dirname, 'signalling-process.ts'), [transport], {
    execArgv: [...nodeOptions, ...(loops?.nodeOptions ?? [])],
    env: { ...process.env, ...loops?.environment },
    // Its log lines are written, as they are in use, and nobody reads them.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`the signalling process ended too early, with ${code}`);
  });
  died.catch(() => undefined);
  const [{ sip }] = (await Promise.race([once(child, 'message'), died])) as [{ sip: string[] }];
  const stop = async () => {
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
  };
  return { target: { apiUrl: '', apiKey, sip: addressOf(sip) }, pid: child.pid as number, stop };
}

function addressOf(hostports: readonly string[]): Target['sip'] {
  const [, host = '', port] = /^\w+\/(.+):(\d+)$/.exec(hostports[0] ?? '') ?? [];
  return { host, port: Number(port) };
}

function settings(pipelineUrl: string, transport: CallTransportName): Record<string, unknown> {
  const tls = { certificate: certificateFile('server'), key: keyFile('server') };
  return {
    sip: { listen: [`${transport}:127.0.0.1:0`], ...(transport === 'tls' && { tls }) },
    api: { listen: '127.0.0.1:0', rate_limit: noRateLimit },
    media: { address: '127.0.0.1' },
    pipeline: { url: pipelineUrl, token_secret: tokenSecret },
    limits: { max_calls: MAX_CALLS },
    organizations: [
      {
        id: 'load',
        name: 'Load',
        api_keys: [apiKey],
        sip: { allowed_ips: ['127.0.0.1'], concurrency_limit: MAX_CALLS },
      },
    ],
  };
}

/** The event loops of a process, as `loop-delay.ts` writes them down in it. */
class LoopDelays {
  readonly #folder = mkdtempSync(join(tmpdir(), 'loop-delay-'));
  readonly nodeOptions = ['--import', new URL('./loop-delay.ts', import.meta.url).href];
  readonly environment = { LOAD_LOOP_DELAY: this.#folder };

  /** By thread, ms. */
  worstSince(from: number): Record<string, number> {
    const worst = (file: string): number =>
      readFileSync(join(this.#folder, file), 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number) as [number, number])
        .reduce((most, [at, ms]) => (at >= from ? Math.max(most, ms) : most), 0);
    return Object.fromEntries(readdirSync(this.#folder).map((file) => [file, worst(file)]));
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** @throws Error when the generator ends before its job is done */
async function run(
  job: Job,
  pid: number,
  signal: AbortSignal,
): Promise<Omit<Measured, 'loopDelayMs'> & { beganAt: number }> {
  const idleRssBytes = usageOf(pid).rssBytes;
  const generator = fork(join(import.meta.dirname, 'generator.ts'), [JSON.stringify(job)], {
    execArgv: [],
    signal,
  });
  const { begins, over, marks, result } = await watch(generator, pid);
  return {
    result,
    tookMs: over.at - begins.at,
    cpuMs: over.usage.cpuMs - begins.usage.cpuMs,
    waitedMs: over.usage.waitedMs - begins.usage.waitedMs,
    threads: grown(begins.usage.threads, over.usage.threads),
    rssBytes: over.usage.rssBytes,
    idleRssBytes,
    markedRssBytes: marks,
    beganAt: begins.wallClock,
  };
}

function grown(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)]));
}

interface Moment {
  at: number;
  wallClock: number;
  usage: Usage;
}

/** Looks at the gateway's process whenever the generator reports, until it reports its result. */
function watch(
  generator: ChildProcess,
  pid: number,
): Promise<{ begins: Moment; over: Moment; marks: number[]; result: Result }> {
  return new Promise((resolve, reject) => {
    const moments: Moment[] = [];
    const marks: number[] = [];
    generator.on('message', (report: Report) => {
      try {
        if (report.type === 'result') {
          const [begins, over] = moments as [Moment, Moment];
          resolve({ begins, over, marks, result: report.result });
        } else if (report.type === 'mark') marks.push(usageOf(pid).rssBytes);
        else moments.push({ at: performance.now(), wallClock: Date.now(), usage: usageOf(pid) });
      } catch (error) {
        reject(error);
        generator.kill();
      }
    });
    generator.once('error', reject);
    generator.once('exit', (code) => reject(new Error(`the generator ended too early, with ${code}`)));
  });
}
