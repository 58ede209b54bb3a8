import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { Job, Report, Result } from './load-job.ts';
import { type Usage, usageOf } from './process-usage.ts';

const apiKey = 'sk_test_load_0123456789';
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
  rssBytes: number;
  /** Before the job. */
  idleRssBytes: number;
}

/**
 * Does one job with a fresh gateway. Gateway, echo pipeline and generator are a process each; only the gateway's is
 * measured.
 * @param nodeOptions of the gateway's node, to profile it
 */
export async function measure(job: JobWithoutTarget, maxCalls: number, nodeOptions: string[]): Promise<Measured> {
  const pipeline = fork(join(import.meta.dirname, 'pipeline-process.ts'), [tokenSecret], { execArgv: [] });
  try {
    const [{ url }] = (await once(pipeline, 'message')) as [{ url: string }];
    const gateway = GatewayProcess.start({ by: 'node', settings: settings(url, maxCalls), nodeOptions });
    try {
      const { api, sip } = await gateway.ready();
      const [, host = '', port] = /^udp\/(.+):(\d+)$/.exec(sip[0] ?? '') ?? [];
      const target = { apiUrl: api, apiKey, sip: { host, port: Number(port) } };
      return await run({ ...job, target } as Job, gateway.child.pid as number);
    } finally {
      await gateway.stop();
    }
  } finally {
    pipeline.kill();
  }
}

function settings(pipelineUrl: string, maxCalls: number): Record<string, unknown> {
  return {
    sip: { listen: ['udp:127.0.0.1:0'] },
    api: { listen: '127.0.0.1:0' },
    media: { address: '127.0.0.1' },
    pipeline: { url: pipelineUrl, token_secret: tokenSecret },
    limits: { max_calls: maxCalls },
    organizations: [
      {
        id: 'load',
        name: 'Load',
        api_keys: [apiKey],
        sip: { allowed_ips: ['127.0.0.1'], concurrency_limit: maxCalls },
      },
    ],
  };
}

async function run(job: Job, pid: number): Promise<Measured> {
  const idleRssBytes = usageOf(pid).rssBytes;
  const generator = fork(join(import.meta.dirname, 'generator.ts'), [JSON.stringify(job)], { execArgv: [] });
  try {
    const begin = await stage(generator, 'begins', pid);
    const end = await stage(generator, 'over', pid);
    const { report } = await stage(generator, 'result', pid);
    return {
      result: report.result,
      tookMs: end.at - begin.at,
      cpuMs: end.usage.cpuMs - begin.usage.cpuMs,
      waitedMs: end.usage.waitedMs - begin.usage.waitedMs,
      rssBytes: end.usage.rssBytes,
      idleRssBytes,
    };
  } finally {
    generator.kill();
  }
}

interface Stage<Type extends Report['type']> {
  report: Extract<Report, { type: Type }>;
  at: number;
  usage: Usage;
}

/** Waits for a report of the generator, and looks at the gateway's process at that moment. */
async function stage<Type extends Report['type']>(
  generator: ChildProcess,
  type: Type,
  pid: number,
): Promise<Stage<Type>> {
  const ended = new AbortController();
  const onExit = () => ended.abort(new Error('the generator ended before its time; what it said is above'));
  generator.once('exit', onExit);
  try {
    const [report] = await once(generator, 'message', { signal: ended.signal });
    if (report.type !== type) throw new Error(`the generator reported ${report.type} in place of ${type}`);
    return { report, at: performance.now(), usage: usageOf(pid) };
  } finally {
    generator.off('exit', onExit);
  }
}

