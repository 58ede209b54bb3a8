import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CPrograms } from './c-programs.ts';
import { progress, runCommand, stopping } from './command.ts';
import type { MediaKind } from './load-job.ts';
import { describeMachine } from './machine.ts';
import { type Figures, figuresOf, medianOf } from './media-figures.ts';
import { measureFloor } from './media-floor.ts';
import { writePackets } from './media-packets.ts';
import { costTable, type MediaRow, mediaAims, pacingTable } from './media-report.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { heldCallsTable } from './report.ts';
import { measure } from './rig.ts';

/**
 * `npm run load -- media`: what calls with audio cost, beside a program in C that only receives and sends the same packets,
 * turn by turn. It measures and prints; it passes or fails nothing. Options: `--calls 200,500,1000 --codec PCMU|opus|srtp
 * --seconds 60 --pairs 5` (medians of so many), `--quick`, `--node-option=--cpu-prof` (repeatable).
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
  console.log(describeMachine('npm run load -- media'));
  const programs = CPrograms.compile();
  if (!programs) return measureWithoutCompiler(options);
  try {
    await measureSteps(options, programs);
  } finally {
    programs.remove();
  }
}

async function measureSteps({ steps, pairs, ...options }: Options, programs: CPrograms): Promise<void> {
  const rows: MediaRow[] = [];
  for (const { media, calls } of steps) {
    const figures: Figures[] = [];
    for (let pair = 1; pair <= pairs; pair++) {
      progress(`${calls} calls, ${media}, for ${options.seconds} s, ${pair} of ${pairs} …`);
      const packets = await packetsFor(media, calls, options.seconds, programs);
      const job = { calls, packets, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
      const floor = await measureFloor(job, programs, stopping);
      const measured = await measureCalls({ ...job, media }, options, programs);
      figures.push(figuresOf(measured, floor));
    }
    rows.push({ media, calls, figures: medianOf(figures) });
  }
  console.log(`${costTable(rows)}\n${pacingTable(rows)}\n${mediaAims(rows)}`);
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
    { nodeOptions, signal: stopping, watchThreads: true, probe: true },
  );
}

/** For all the time that the streams run: the set-ups, warming up, what is measured and a rest. @returns the file */
async function packetsFor(media: MediaKind, calls: number, seconds: number, programs: CPrograms) {
  const file = join(programs.folder, 'packets');
  await writePackets(file, media, (calls / 10 + WARM_UP_SECONDS + seconds + 60) * 50);
  return file;
}

/** By the slower generator in TypeScript: G.711 only, and nothing to compare with. */
async function measureWithoutCompiler({ steps, seconds, nodeOptions }: Options): Promise<void> {
  progress('There is no C compiler: the generator is the slower one in TypeScript, for G.711 alone.');
  const rows = [];
  for (const { calls } of steps.filter(({ media }) => media === 'PCMU')) {
    progress(`${calls} calls for ${seconds} s …`);
    const job = { kind: 'held calls', calls, warmUpSeconds: WARM_UP_SECONDS, seconds } as const;
    rows.push(await measure(job, { nodeOptions, signal: stopping }));
  }
  console.log(heldCallsTable(rows));
}

await runCommand(readOptions, main);
