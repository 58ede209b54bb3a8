import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CPrograms } from './c-programs.ts';
import { progress, runCommand, stopping } from './command.ts';
import { JobFailure, type MediaCallsResult, type MediaKind } from './load-job.ts';
import { describeMachine } from './machine.ts';
import { type Figures, figuresOf } from './media-figures.ts';
import { measureFloor } from './media-floor.ts';
import { writePackets } from './media-packets.ts';
import { costTable, type MediaRow, mediaAims, pacingTable, runInWords } from './media-report.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { inWords } from './paced-set-ups.ts';
import { heldCallsTable } from './report.ts';
import { type Measured, measure } from './rig.ts';

/**
 * `npm run load -- media`: what calls with audio cost, beside a program in C that only receives and sends the same packets,
 * turn by turn. The echo pipeline is in C, and in TypeScript where there is no compiler. It measures and prints, each step as
 * soon as it is over and all of them at the end; it passes or fails nothing. A machine on which fewer calls can be held than
 * wanted is measured with those that are; a step that cannot be measured is left out, or has fewer runs (exit code 1). The
 * gateway's capacity limits are out of the way (`rig.ts`): what is measured is the load itself. Options: `--calls 200,500,1000
 * --codec PCMU|opus|srtp --seconds 60 --pairs 5` (medians of so many), `--quick`, `--node-option=--cpu-prof` (repeatable).
 */

const callsOf: Readonly<Record<MediaKind, string>> = { PCMU: '200,500,1000', opus: '100', srtp: '200' };
const kinds = Object.keys(callsOf) as MediaKind[];
const WARM_UP_SECONDS = 5;

interface Options {
  steps: { media: MediaKind; calls: number }[];
  seconds: number;
  pairs: number;
  nodeOptions: string[];
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string' },
      codec: { type: 'string' },
      seconds: { type: 'string' },
      pairs: { type: 'string' },
      ...commonOptions,
    },
  });
  const { codec, quick } = values;
  const media = kinds.filter((kind) => (codec === undefined ? !quick || kind === 'PCMU' : kind === codec));
  if (media.length === 0) throw new OptionError(`--codec: found ${codec}; allowed: ${kinds.join(', ')}`);
  const stepsOf = (kind: MediaKind) =>
    (values.calls ?? (quick ? '50' : callsOf[kind]))
      .split(',')
      .map((one) => ({ media: kind, calls: wholeNumber('calls', one, 1, 4000) }));
  return {
    steps: media.flatMap(stepsOf),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '5' : '30'), 1, 600),
    pairs: wholeNumber('pairs', values.pairs ?? '1', 1, 20),
    nodeOptions: values['node-option'],
  };
}

async function main(options: Options): Promise<void> {
  const programs = CPrograms.compile();
  console.log(describeMachine('npm run load -- media', programs ? 'C' : 'TypeScript'));
  if (!programs) return measureWithoutCompiler(options);
  try {
    await measureSteps(options, programs);
  } finally {
    programs.remove();
  }
}

interface Step {
  media: MediaKind;
  calls: number;
}

async function measureSteps({ steps, ...options }: Options, programs: CPrograms): Promise<void> {
  const rows: MediaRow[] = [];
  for (const step of steps) {
    const runs = await runsOf(step, options, programs);
    if (runs.length === 0) continue;
    rows.push({ ...step, runs });
    console.log(tables(rows.slice(-1)));
  }
  if (rows.length > 1) console.log(`All steps:\n\n${tables(rows)}`);
  if (rows.length > 0) console.log(mediaAims(rows));
  stopping.throwIfAborted();
}

const tables = (rows: readonly MediaRow[]): string => `${costTable(rows)}\n${pacingTable(rows)}`;

/** @returns a run for each pair with the program in C; those so far when one fails, or when the command is to end */
async function runsOf(step: Step, options: Omit<Options, 'steps'>, programs: CPrograms): Promise<Figures[]> {
  const runs: Figures[] = [];
  const { media, calls } = step;
  await attempt(`${calls} calls, ${media}`, async () => {
    for (let pair = 1; pair <= options.pairs; pair++) {
      progress(`${calls} calls, ${media}, for ${options.seconds} s, ${pair} of ${options.pairs} …`);
      const run = await measurePair(step, options, programs);
      progress(`  ${runInWords(calls, run)}`);
      runs.push(run);
    }
  });
  return runs;
}

/** What cannot be measured is said, and does not keep others from it. */
async function attempt(what: string, work: () => Promise<void>): Promise<void> {
  if (stopping.aborted) return;
  try {
    await work();
  } catch (error) {
    if (stopping.aborted) return;
    process.exitCode = 1;
    const { message, stack } = error as Error;
    progress(`${what} cannot be measured: ${error instanceof JobFailure ? message : stack}`);
  }
}

async function measurePair(
  { media, calls }: Step,
  options: Pick<Options, 'seconds' | 'nodeOptions'>,
  programs: CPrograms,
): Promise<Figures> {
  const packets = await packetsFor(media, options.seconds, programs);
  const job = { calls, packets, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
  const floor = await measureFloor(job, programs, stopping);
  const measured = await measureCalls({ ...job, media }, options, programs);
  const { failures } = measured.result as MediaCallsResult;
  if (Object.keys(failures).length > 0) progress(`  calls that could not be set up: ${inWords(failures)}`);
  return figuresOf(measured, floor);
}

interface CallsJob {
  media: MediaKind;
  calls: number;
  packets: string;
  warmUpSeconds: number;
  seconds: number;
}

function measureCalls(job: CallsJob, { nodeOptions }: Pick<Options, 'nodeOptions'>, programs: CPrograms) {
  return measure(
    { kind: 'media calls', program: programs.path('rtp-generator'), ...job },
    {
      ...{ nodeOptions, signal: stopping, watchThreads: true, probe: true },
      echoProgram: programs.path('echo-pipeline'),
    },
  );
}

/** For all the time that the streams run: warming up, what is measured and a rest. @returns the file */
async function packetsFor(media: MediaKind, seconds: number, programs: CPrograms): Promise<string> {
  const file = join(programs.folder, 'packets');
  await writePackets(file, media, (WARM_UP_SECONDS + seconds + 60) * 50);
  return file;
}

/** By the slower generator and echo pipeline in TypeScript: G.711 only, and nothing to compare with. */
async function measureWithoutCompiler({ steps, seconds, nodeOptions }: Options): Promise<void> {
  progress(
    'There is no C compiler: generator and echo pipeline are the slower ones in TypeScript, for G.711 alone.',
  );
  const rows: Measured[] = [];
  for (const { calls } of steps.filter(({ media }) => media === 'PCMU')) {
    progress(`${calls} calls for ${seconds} s …`);
    const job = { kind: 'held calls', calls, warmUpSeconds: WARM_UP_SECONDS, seconds } as const;
    await attempt(`${calls} calls`, async () => {
      rows.push(await measure(job, { nodeOptions, signal: stopping }));
    });
  }
  console.log(heldCallsTable(rows));
  stopping.throwIfAborted();
}

await runCommand(readOptions, main);
