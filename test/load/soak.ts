import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CPrograms } from './c-programs.ts';
import { progress, runCommand, stopping } from './command.ts';
import type { GatewayProbe } from './gateway-probe.ts';
import { describeMachine } from './machine.ts';
import { writePackets } from './media-packets.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { measure } from './rig.ts';
import { COLLECTED_MS } from './soak-figures.ts';
import { soakSummary, soakTable, soakVerdicts } from './soak-report.ts';
import { mib } from './table.ts';

/**
 * `npm run soak`: an hour of calls that stay up, and of short ones that come and go beside them; nothing may be lost, fail
 * or grow. Exit code 1 when an aim is not met. Options: `--minutes 60 --calls 200 --rate 5` (short calls a second)
 * `--call-seconds 4`, `--quick` for half a minute, `--node-option=--heap-prof` (repeatable) for the gateway's node.
 */

const MARK_SECONDS = 60;
/** A short run has so many moments. */
const LEAST_MARKS = 5;
const PACKETS_PER_SECOND = 50;
/** The set-ups before and the rest after what is measured, s. */
const BESIDE_SECONDS = 120;

interface Options {
  calls: number;
  perSecond: number;
  callSeconds: number;
  warmUpSeconds: number;
  seconds: number;
  nodeOptions: string[];
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string' },
      calls: { type: 'string' },
      rate: { type: 'string', default: '5' },
      'call-seconds': { type: 'string', default: '4' },
      ...commonOptions,
    },
  });
  const { quick } = values;
  return {
    calls: wholeNumber('calls', values.calls ?? (quick ? '50' : '200'), 1, 2000),
    perSecond: wholeNumber('rate', values.rate, 0, 50),
    callSeconds: wholeNumber('call-seconds', values['call-seconds'], 1, 60),
    warmUpSeconds: quick ? 5 : 20,
    seconds: Math.ceil(minutesOf(values.minutes ?? (quick ? '0.5' : '60')) * 60),
    nodeOptions: values['node-option'],
  };
}

/** @throws OptionError */
function minutesOf(text: string): number {
  const minutes = Number(text);
  if (minutes >= 0.25 && minutes <= 24 * 60) return minutes;
  throw new OptionError(
    `--minutes: found ${JSON.stringify(text)}; allowed: a number from 0.25 to ${24 * 60}`,
  );
}

async function main({ nodeOptions, ...load }: Options): Promise<void> {
  console.log(describeMachine('npm run soak --', 'C'));
  const programs = CPrograms.compile();
  if (!programs) throw new OptionError('npm run soak needs Linux and a C compiler (cc)');
  try {
    const packets = join(programs.folder, 'packets');
    const seconds = load.warmUpSeconds + load.seconds + BESIDE_SECONDS;
    await writePackets(packets, 'PCMU', seconds * PACKETS_PER_SECOND);
    const program = programs.path('rtp-generator');
    const markEvery = Math.min(MARK_SECONDS, Math.floor(load.seconds / LEAST_MARKS));
    progress(`${load.calls} calls and ${load.perSecond} new ones a second for ${load.seconds} s …`);
    const measured = await measure(
      { kind: 'soak', program, packets, markEvery, ...load },
      {
        ...{
          nodeOptions,
          signal: stopping,
          watchThreads: true,
          collectMs: COLLECTED_MS,
          probe: true,
          onProbe: tell,
        },
        echoProgram: programs.path('echo-pipeline'),
      },
    );
    const { text, met } = soakVerdicts(measured, load.calls);
    console.log(`${soakTable(measured)}\n${soakSummary(measured)}\n${text}`);
    if (!met) process.exitCode = 1;
  } finally {
    programs.remove();
  }
}

/** So that somebody who watches sees it go on. */
function tell({ at, metrics, rssBytes, openFiles }: GatewayProbe): void {
  const [up, lost] = ['kallglot_calls_active', 'kallglot_rtp_lost_total'].map(
    (name) => metrics.get(name) ?? 0,
  );
  progress(
    `${new Date(at).toISOString().slice(11, 19)}: ${up} calls up, ${lost} packets lost, RSS ${mib(rssBytes)} MiB, ${openFiles} open files`,
  );
}

await runCommand(readOptions, main);
