import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DialectName, dialectNames } from '../../src/config/pipeline.ts';
import { CPrograms } from './c-programs.ts';
import { progress, runCommand, stopping } from './command.ts';
import { type DialectRow, dialectsTable } from './dialect-report.ts';
import { type StreamClientName, streamClients } from './load-job.ts';
import { describeMachine } from './machine.ts';
import { writeVoices } from './media-packets.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { type Measured, measure } from './rig.ts';

/**
 * `npm run load -- dialects`: what sessions of two parties cost, and what the gateway adds to their audio, by what the pipeline
 * speaks (with parties on SIP) and by how the parties come (at a `kallglot` pipeline). It measures and prints; it passes or
 * fails nothing. Options: `--sessions 50 --seconds 30`, `--quick`, `--node-option=--cpu-prof` (repeatable).
 */

const WARM_UP_SECONDS = 5;

interface Options {
  sessions: number;
  seconds: number;
  nodeOptions: string[];
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      sessions: { type: 'string' },
      seconds: { type: 'string' },
      ...commonOptions,
    },
  });
  const { quick } = values;
  return {
    sessions: wholeNumber('sessions', values.sessions ?? (quick ? '5' : '50'), 1, 500),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '5' : '30'), 1, 600),
    nodeOptions: values['node-option'],
  };
}

async function main(options: Options): Promise<void> {
  console.log(describeMachine('npm run load -- dialects'));
  const programs = CPrograms.compile();
  if (!programs)
    throw new OptionError(
      'a C compiler is needed, on Linux: the parties on SIP are played by a program in C',
    );
  const rows: DialectRow[] = [];
  try {
    for (const dialect of dialectNames)
      rows.push({ dialect, legs: 'SIP', measured: await onSip(dialect, options, programs) });
  } finally {
    programs.remove();
  }
  for (const client of streamClients)
    rows.push({ dialect: 'kallglot', legs: client, measured: await byStream(client, options) });
  console.log(dialectsTable(rows));
}

async function onSip(dialect: DialectName, options: Options, programs: CPrograms): Promise<Measured> {
  const { sessions, seconds } = options;
  progress(
    `${sessions} sessions of two SIP parties at a pipeline that speaks ${dialect}, for ${seconds} s …`,
  );
  const lasts = WARM_UP_SECONDS + seconds + 60;
  const job = {
    kind: 'bridge' as const,
    ...{ sessions, seconds, warmUpSeconds: WARM_UP_SECONDS, restarts: 0, outageMs: 0 },
    program: programs.path('rtp-generator'),
    packets: writeVoices(programs.folder, lasts),
  };
  return atPipeline(dialect, job, options);
}

async function byStream(client: StreamClientName, options: Options): Promise<Measured> {
  const { sessions, seconds } = options;
  progress(`${sessions} sessions of two parties that come as clients of ${client}, for ${seconds} s …`);
  const job = { kind: 'streams', client, sessions, seconds, warmUpSeconds: WARM_UP_SECONDS } as const;
  return atPipeline('kallglot', job, options);
}

/** Does the job with a gateway and a pipeline of its own. */
async function atPipeline(
  dialect: DialectName,
  job: Parameters<typeof measure>[0],
  { nodeOptions }: Options,
): Promise<Measured> {
  const pipeline = fork(join(import.meta.dirname, 'dialect-pipeline.ts'), [dialect], { execArgv: [] });
  try {
    const [{ url }] = (await once(pipeline, 'message', { signal: stopping })) as [{ url: string }];
    return await measure(job, { nodeOptions, signal: stopping, probe: true, pipelineUrl: url, dialect });
  } finally {
    pipeline.kill();
  }
}

await runCommand(readOptions, main);
