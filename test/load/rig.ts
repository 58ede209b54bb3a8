import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { noRateLimit } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { Job, Report, Result } from './load-job.ts';
import { type Usage, usageOf } from './process-usage.ts';

const apiKey = 'sk_test_load_0123456789';
/** Above what any job holds: the limits are not what is measured. */
const MAX_CALLS = 10_000;
const tokenSecret = 'load-test-token-secret';

type JobWithoutTarget = Job extends infer Each ? (Each extends Job ? Omit<Each, 'target'> : never) : never;

/** What the gateway's process used while a job was measured. */
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
}

/**
 * Does one job with a fresh gateway. Gateway, echo pipeline and generator are a process each; only the gateway's is
 * measured.
 * @param options `nodeOptions` of the gateway's node, to profile it; `signal` ends everything early
 */
export async function measure(
  job: JobWithoutTarget,
  { nodeOptions, signal }: { nodeOptions: string[]; signal: AbortSignal },
): Promise<Measured> {
  const pipeline = fork(join(import.meta.dirname, 'pipeline-process.ts'), [tokenSecret], { execArgv: [] });
  try {
    const [{ url }] = (await once(pipeline, 'message')) as [{ url: string }];
    const gateway = GatewayProcess.start({ by: 'node', settings: settings(url), nodeOptions });
    try {
      const { api, sip } = await gateway.ready();
      const [, host = '', port] = /^udp\/(.+):(\d+)$/.exec(sip[0] ?? '') ?? [];
      const target = { apiUrl: api, apiKey, sip: { host, port: Number(port) } };
      return await run({ ...job, target } as Job, gateway.child.pid as number, signal);
    } finally {
      await gateway.stop();
    }
  } finally {
    pipeline.kill();
  }
}

function settings(pipelineUrl: string): Record<string, unknown> {
  return {
    sip: { listen: ['udp:127.0.0.1:0'] },
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

/** @throws Error when the generator ends before its job is done */
async function run(job: Job, pid: number, signal: AbortSignal): Promise<Measured> {
  signal.throwIfAborted();
  const idleRssBytes = usageOf(pid).rssBytes;
  const generator = fork(join(import.meta.dirname, 'generator.ts'), [JSON.stringify(job)], {
    execArgv: [],
    signal,
  });
  const { begins, over, result } = await watch(generator, pid);
  return {
    result,
    tookMs: over.at - begins.at,
    cpuMs: over.usage.cpuMs - begins.usage.cpuMs,
    waitedMs: over.usage.waitedMs - begins.usage.waitedMs,
    threads: grown(begins.usage.threads, over.usage.threads),
    rssBytes: over.usage.rssBytes,
    idleRssBytes,
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
  usage: Usage;
}

/** Looks at the gateway's process whenever the generator reports, until it reports its result. */
function watch(
  generator: ChildProcess,
  pid: number,
): Promise<{ begins: Moment; over: Moment; result: Result }> {
  return new Promise((resolve, reject) => {
    const moments: Moment[] = [];
    generator.on('message', (report: Report) => {
      try {
        if (report.type === 'result') {
          const [begins, over] = moments as [Moment, Moment];
          resolve({ begins, over, result: report.result });
        } else moments.push({ at: performance.now(), usage: usageOf(pid) });
      } catch (error) {
        reject(error);
        generator.kill();
      }
    });
    generator.once('error', reject);
    generator.once('exit', (code) => reject(new Error(`the generator ended too early, with ${code}`)));
  });
}
