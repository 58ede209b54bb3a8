import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { DialectName } from '../../src/config/pipeline.ts';
import { certificateFile, keyFile } from '../support/certificates.ts';
import { busyMachineLimits, noRateLimit } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { CallTransportName } from './call-transport.ts';
import { startEchoInC, startEchoInTypeScript } from './echo-pipeline.ts';
import { type GatewayProbe, probeGateway } from './gateway-probe.ts';
import { type Job, JobFailure, type Report, type Result, type Target } from './load-job.ts';
import { type Usage, usageOf } from './process-usage.ts';
import { type ThreadFigures, ThreadWatch } from './thread-figures.ts';

const apiKey = 'sk_test_load_0123456789';
/** Above what any job holds, as all limits are: they are not what is measured. */
const MAX_CALLS = 10_000;
/** Up to where the system's own ports begin: 6,000 pairs, 2,000 more than the most calls that a job holds. */
const RTP_PORTS = '20000-31999';
/** Calls wait for the last of so many to be set up before anybody speaks. */
const MEDIA_TIMEOUT_SECONDS = 600;
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
  /** By the name of the thread; empty unless they are watched. */
  watched: Readonly<Record<string, ThreadFigures>>;
  /** Of the echo pipeline; NaN where there is none. */
  echoCpuMs: number;
  /** At the beginning, at each mark and at the end; empty unless asked for. */
  probes: readonly GatewayProbe[];
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
  /** Path of `echo-pipeline`; the echo pipeline is the slower one in TypeScript when absent. */
  echoProgram?: string;
  /** Of a pipeline that the generator brings itself; the echo pipeline when absent. */
  pipelineUrl?: string;
  /** What that one speaks (`kallglot`). */
  dialect?: DialectName;
  /** Leaves the limits of its capacity as the configuration has them, but for the number of calls. */
  standardLimits?: boolean;
  /** Also watches the event loop and the garbage collector of all its threads. */
  watchThreads?: boolean;
  /** ms after which watched threads collect their garbage, again and again; when they like where it is absent. */
  collectMs?: number;
  /** Also asks the gateway for its own metrics. */
  probe?: boolean;
  /** Told of each of these as it comes. */
  onProbe?: (probe: GatewayProbe) => void;
}

/**
 * Does one job with a fresh gateway. Gateway, echo pipeline and generator are a process each; only the gateway's is
 * measured. Its capacity limits are out of the way unless they are asked for: it takes calls however busy the machine
 * is, so that the load itself is measured and not where the gateway would refuse more of it.
 */
export async function measure(job: JobWithoutTarget, options: RigOptions): Promise<Measured> {
  const { subject = 'gateway', watchThreads = false, probe = false, onProbe, signal } = options;
  signal.throwIfAborted();
  const watch = watchThreads ? new ThreadWatch(options.collectMs) : undefined;
  const subjectOf = subject === 'gateway' ? startWholeGateway : startSignalling;
  const { target, stop, ...processes } = await subjectOf(options, watch);
  try {
    const looks = { ...processes, signal, probe, onProbe };
    const { beganAt, ...measured } = await run({ ...job, target } as Job, looks);
    return { ...measured, watched: watch?.since(beganAt) ?? {} };
  } finally {
    await stop();
    watch?.close();
  }
}

interface Processes {
  /** Of what is measured. */
  pid: number;
  /** Of the echo pipeline. */
  echoPid?: number | undefined;
}

/** What is measured, running. */
interface Subject extends Processes {
  target: Target;
  stop(): Promise<void>;
}

async function startWholeGateway(options: RigOptions, watch: ThreadWatch | undefined): Promise<Subject> {
  const { nodeOptions } = options;
  const pipeline = options.pipelineUrl === undefined ? await startEcho(options) : undefined;
  const url = options.pipelineUrl ?? pipeline?.url ?? '';
  const gateway = GatewayProcess.start({
    by: 'node',
    settings: settings({ url, dialect: options.dialect ?? 'kallglot' }, options),
    nodeOptions,
    environment: { OPENAI_API_KEY: 'sk-load', ...watch?.environment },
  });
  const stop = async () => {
    await gateway.stop();
    await pipeline?.stop();
  };
  const { api, sip } = await gateway.ready().catch(async (error) => {
    await stop();
    throw error;
  });
  const target = { apiUrl: api, apiKey, sip: addressOf(sip) };
  return { target, pid: gateway.child.pid as number, echoPid: pipeline?.pid, stop };
}

const startEcho = ({ echoProgram }: RigOptions) =>
  echoProgram === undefined ? startEchoInTypeScript(tokenSecret) : startEchoInC(echoProgram);

async function startSignalling(options: RigOptions, watch: ThreadWatch | undefined): Promise<Subject> {
  const { nodeOptions, transport = 'udp' } = options;
  const child = fork(join(import.meta.dirname, 'signalling-process.ts'), [transport], {
    execArgv: nodeOptions,
    env: { ...process.env, ...watch?.environment },
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

function settings(
  pipeline: { url: string; dialect: DialectName },
  { transport = 'udp', standardLimits = false }: RigOptions,
): Record<string, unknown> {
  const tls = { certificate: certificateFile('server'), key: keyFile('server') };
  return {
    sip: { listen: [`${transport}:127.0.0.1:0`], ...(transport === 'tls' && { tls }) },
    api: { listen: '127.0.0.1:0', rate_limit: noRateLimit },
    media: { address: '127.0.0.1', ports: RTP_PORTS, timeout_seconds: MEDIA_TIMEOUT_SECONDS },
    pipeline: { ...pipeline, token_secret: tokenSecret },
    limits: {
      max_calls: MAX_CALLS,
      ...(!standardLimits && { ...busyMachineLimits, rtp_ports_percent: 100, memory_percent: 100 }),
    },
    organizations: [
      {
        id: 'load',
        name: 'Load',
        api_keys: [apiKey],
        sip: { allowed_ips: ['127.0.0.1'], concurrency_limit: MAX_CALLS, srtp: 'optional' },
      },
    ],
  };
}

/** @throws Error when the generator ends before its job is done; JobFailure when it says why it cannot be */
async function run(
  job: Job,
  { signal, probe, onProbe, ...processes }: Processes & Pick<RigOptions, 'signal' | 'probe' | 'onProbe'>,
): Promise<Omit<Measured, 'watched'> & { beganAt: number }> {
  const idleRssBytes = usageOf(processes.pid).rssBytes;
  const generator = fork(join(import.meta.dirname, 'generator.ts'), [JSON.stringify(job)], {
    execArgv: [],
    signal,
  });
  const observer = new Observer(processes, probe ? job.target.apiUrl : undefined, onProbe);
  const result = await observer.until(generator);
  const { marks, probes } = observer;
  const [begins, over] = observer.moments as [Moment, Moment];
  return {
    result,
    tookMs: over.at - begins.at,
    cpuMs: over.usage.cpuMs - begins.usage.cpuMs,
    echoCpuMs: over.echoCpuMs - begins.echoCpuMs,
    waitedMs: over.usage.waitedMs - begins.usage.waitedMs,
    threads: grown(begins.usage.threads, over.usage.threads),
    rssBytes: over.usage.rssBytes,
    idleRssBytes,
    markedRssBytes: marks,
    probes,
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
  echoCpuMs: number;
}

/** Looks at the gateway's process whenever the generator reports. */
class Observer {
  readonly moments: Moment[] = [];
  readonly marks: number[] = [];
  readonly probes: GatewayProbe[] = [];
  readonly #pid: number;
  readonly #echoPid: number | undefined;
  readonly #probed: string | undefined;
  readonly #onProbe: (probe: GatewayProbe) => void;

  /** @param probed URL of the API that is asked for the metrics as well */
  constructor(
    { pid, echoPid }: Processes,
    probed: string | undefined,
    onProbe: (probe: GatewayProbe) => void = () => undefined,
  ) {
    this.#pid = pid;
    this.#echoPid = echoPid;
    this.#probed = probed;
    this.#onProbe = onProbe;
  }

  /** @returns the generator's result, the last that it reports */
  async until(generator: ChildProcess): Promise<Result> {
    let work: Promise<void> = Promise.resolve();
    const result = await new Promise<Result>((resolve, reject) => {
      generator.on('message', (report: Report) => {
        if (report.type === 'result') resolve(report.result);
        else if (report.type === 'failed') reject(new JobFailure(report.reason));
        else work = work.then(() => this.#look(report.type));
        work.catch((error) => {
          reject(error);
          generator.kill();
        });
      });
      generator.once('error', reject);
      generator.once('exit', (code) => reject(new Error(`the generator ended too early, with ${code}`)));
    });
    await work;
    return result;
  }

  /** Asking costs the process something itself: that is left out of the interval. */
  async #look(what: Exclude<Report['type'], 'result' | 'failed'>): Promise<void> {
    if (what === 'begins') await this.#probe();
    if (what === 'mark') this.marks.push(usageOf(this.#pid).rssBytes);
    else this.moments.push(this.#now());
    if (what !== 'begins') await this.#probe();
  }

  #now(): Moment {
    const echoCpuMs = this.#echoPid === undefined ? Number.NaN : usageOf(this.#echoPid).cpuMs;
    return { at: performance.now(), wallClock: Date.now(), usage: usageOf(this.#pid), echoCpuMs };
  }

  async #probe(): Promise<void> {
    if (this.#probed === undefined) return;
    const probe = await probeGateway(this.#probed, this.#pid);
    this.probes.push(probe);
    this.#onProbe(probe);
  }
}
