import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bindUdp } from './port-pair.ts';

/** Runs SIPp scenarios against a SIP server, bounded in calls and in time. */
const sippScenarios = new URL('../sipp/scenarios/', import.meta.url);
/** From PATH; Debian's package is sip-tester. */
const program = 'sipp';
/** The scenarios name the speech file from here. */
const repository = new URL('../../', import.meta.url);
/** SIPp's exit code when somebody else was quicker to take the port that was free. */
const PORT_TAKEN = 254;
const TRIES = 3;

export interface SippRun {
  /** File under test/sipp/scenarios, or the folder that is named, without `.xml`. */
  scenario: string;
  folder?: URL;
  /** `host:port` of the server. */
  target: string;
  /** User parts that are called, in turn: session ids, `;role=agent` behind them where one is meant. */
  users: readonly string[];
  /** Calls in all (1), started per second (10), open at a time (as many as needed). */
  count?: number;
  rate?: number;
  concurrent?: number;
  transport?: 'u1' | 't1';
  /** How long the scenario's pauses without a length of their own last. */
  pauseMs?: number;
  /** Our address towards the server (127.0.0.1). */
  localAddress?: string;
  auth?: { user: string; password: string };
  /** `[name]` in the scenario: -key. `formats` and `header` of uac-expect-status have defaults. */
  keys?: Readonly<Record<string, string>>;
  /** `[$name]`, a global variable of the scenario: -set. */
  variables?: Readonly<Record<string, string>>;
  /** Percent of its packets that SIPp loses, both ways. */
  lost?: number;
  /** The run fails when it takes longer (60). */
  timeoutSeconds?: number;
  /** Keeps a copy of every SIP message in the result. */
  traceMessages?: boolean;
  /** More arguments for SIPp. */
  extra?: readonly string[];
  /** Ends SIPp: the `signal` of a vitest context. */
  signal?: AbortSignal;
}

export interface SippResult {
  /** 0: every call went as the scenario wants it; -1: killed; anything else: calls failed, or SIPp itself. */
  exitCode: number;
  successful: number;
  failed: number;
  /** The last line of SIPp's statistics: every counter by its name, such as `Retransmissions(C)`. */
  stats: Readonly<Record<string, string>>;
  /** What SIPp wrote on unexpected messages, and on its own failure; empty when there was nothing. */
  errors: string;
  messages: string;
}

/** Whether SIPp is on this machine, and its version or what to do. */
export function sippAvailable(): { available: boolean; reason: string } {
  try {
    // `sipp -v` ends with 99.
    execFileSync(program, ['-v'], { stdio: 'pipe' });
    return { available: true, reason: 'sipp' };
  } catch (error) {
    const { status, stdout } = error as { status?: number; stdout?: Buffer };
    const version = /SIPp v\S+[^.\s]/.exec(stdout?.toString() ?? '')?.[0];
    if (status === 99 && version) return { available: true, reason: version };
    return { available: false, reason: 'sipp is not installed (Debian, Ubuntu: apt-get install sip-tester)' };
  }
}

/** @throws Error when there is no such scenario or SIPp cannot be started; calls that fail are in the result */
export async function runSipp(run: SippRun): Promise<SippResult> {
  const directory = await mkdtemp(join(tmpdir(), 'sipp-'));
  try {
    await copyScenario(run, directory);
    await writeFile(join(directory, 'users.csv'), `SEQUENTIAL\n${run.users.join(';\n')};\n`);
    let { exitCode, output } = await execute(await argumentsOf(run, directory), run);
    for (let tries = 1; exitCode === PORT_TAKEN && tries < TRIES; tries++)
      ({ exitCode, output } = await execute(await argumentsOf(run, directory), run));
    const [stats, errors, messages] = await Promise.all(
      ['stats.csv', 'errors.log', 'messages.log'].map((name) =>
        readFile(join(directory, name), 'utf8').catch(() => ''),
      ),
    );
    const counters = lastLine(stats!);
    const failed = Number(counters['FailedCall(C)'] ?? 0);
    return {
      exitCode,
      successful: Number(counters['SuccessfulCall(C)'] ?? 0),
      failed,
      stats: counters,
      errors: exitCode !== 0 && failed === 0 ? `${errors}${output}` : errors!,
      messages: messages!,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * `[service]` is one user for all calls; here each call has its own, from a file. SIPp parts its lines at `;`, so a
 * user part with a parameter takes two columns.
 */
async function copyScenario(run: SippRun, directory: string): Promise<void> {
  const xml = await readFile(new URL(`${run.scenario}.xml`, run.folder ?? sippScenarios), 'utf8');
  const columns = new Set(run.users.map((user) => user.split(';').length));
  if (columns.size !== 1) throw new Error('users must all have the same number of parameters');
  const user = Array.from({ length: Math.max(...columns) }, (_, i) => `[field${i}]`).join(';');
  await writeFile(join(directory, `${run.scenario}.xml`), xml.replaceAll('[service]', user));
}

async function argumentsOf(run: SippRun, directory: string): Promise<string[]> {
  const { count = 1, rate = 10, timeoutSeconds = 60, transport = 'u1', localAddress = '127.0.0.1' } = run;
  const pairs = (flag: string, of: Readonly<Record<string, string>> = {}): string[] =>
    Object.entries(of).flatMap(([name, value]) => [flag, name, value]);
  return [
    run.target,
    ...['-sf', join(directory, `${run.scenario}.xml`)],
    ...['-inf', join(directory, 'users.csv'), '-t', transport, '-m', `${count}`, '-r', `${rate}`],
    ...(run.concurrent === undefined ? [] : ['-l', `${run.concurrent}`]),
    ...(run.pauseMs === undefined ? [] : ['-d', `${run.pauseMs}`]),
    ...['-i', localAddress, '-p', `${await freePort(transport)}`],
    ...['-mi', localAddress, '-mp', `${await freeMediaPort()}`],
    ...['-ci', '127.0.0.1', '-cp', `${await freePort('u1')}`],
    ...['-nostdin', '-timeout', `${timeoutSeconds}s`, '-timeout_error'],
    // A machine that stalls is no reason to give up; the timeout is.
    ...['-watchdog_minor_threshold', '60000', '-watchdog_major_threshold', '60000'],
    ...[
      '-trace_stat',
      '-stf',
      join(directory, 'stats.csv'),
      '-fd',
      '1',
      '-trace_err',
      '-error_file',
      join(directory, 'errors.log'),
    ],
    ...(run.traceMessages ? ['-trace_msg', '-message_file', join(directory, 'messages.log')] : []),
    ...(run.auth ? ['-au', run.auth.user, '-ap', run.auth.password] : []),
    ...(run.lost === undefined ? [] : ['-lost', `${run.lost}`]),
    ...pairs('-key', { formats: '0', header: 'Subject: test', ...run.keys }),
    ...pairs('-set', run.variables),
    ...(run.extra ?? []),
  ];
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function execute(args: string[], run: SippRun): Promise<{ exitCode: number; output: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ exitCode: number; output: string }>();
  const child = spawn(program, args, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  running.add(child);
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  // SIPp keeps its own time limit; this one is for a SIPp that hangs.
  const limit = setTimeout(kill, ((run.timeoutSeconds ?? 60) + 10) * 1000);
  run.signal?.addEventListener('abort', kill, { once: true });
  child.once('error', reject);
  child.once('close', (code) => resolve({ exitCode: code ?? -1, output }));
  return promise.finally(() => {
    clearTimeout(limit);
    run.signal?.removeEventListener('abort', kill);
    running.delete(child);
  });
}

async function freePort(transport: 'u1' | 't1'): Promise<number> {
  const socket = transport === 'u1' ? await bindUdp('127.0.0.1') : createServer().listen(0, '127.0.0.1');
  if (transport === 't1') await once(socket, 'listening');
  const { port } = socket.address() as { port: number };
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** SIPp takes a port for audio and the second above for video. */
async function freeMediaPort(): Promise<number> {
  for (;;) {
    const audio = await bindUdp('127.0.0.1');
    const { port } = audio.address();
    const video = port % 2 === 0 ? await bindUdp('127.0.0.1', port + 2).catch(() => undefined) : undefined;
    audio.close();
    video?.close();
    if (video) return port;
  }
}

/** SIPp's statistics: names in the first line, the totals in the last. */
function lastLine(csv: string): Record<string, string> {
  const [head, ...lines] = csv.trim().split('\n');
  const values = lines.at(-1)?.split(';') ?? [];
  return Object.fromEntries((head ?? '').split(';').map((name, i) => [name, values[i] ?? '']));
}
