import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CPrograms } from './c-programs.ts';
import { progress, runCommand, stopping } from './command.ts';
import { describeMachine } from './machine.ts';
import { writePackets } from './media-packets.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { overloadAims, overloadNotes, overloadTable } from './overload-report.ts';
import { measure } from './rig.ts';

/**
 * `npm run load -- overload`: what calls that are up hear while far more are offered than the machine can take, with the
 * limits of the gateway's capacity as the configuration has them. They are measured alone, under the overload, and alone
 * again. It measures and prints; it passes or fails nothing, and a refusal is no failure. Options: `--calls 200
 * --seconds 20` (of each phase) `--rate 400` (short calls a second), `--quick`, `--node-option=--cpu-prof` (repeatable).
 */

const full = { calls: '200', seconds: '20', rate: '400' };
const quick = { calls: '30', seconds: '5', rate: '200' };
/** Each needs a session beforehand. */
const MOST_SHORT_CALLS = 40_000;
const PACKETS_PER_SECOND = 50;
/** An offered call that gets no answer is over so late, and its BYE so much later, s; and the rest of what is not measured. */
const BESIDE_SECONDS = 120;

interface Options {
  calls: number;
  seconds: number;
  perSecond: number;
  warmUpSeconds: number;
  nodeOptions: string[];
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      ...commonOptions,
    },
  });
  const text = { ...(values.quick ? quick : full), ...values };
  const seconds = wholeNumber('seconds', text.seconds, 1, 300);
  return {
    calls: wholeNumber('calls', text.calls, 1, 2000),
    seconds,
    perSecond: wholeNumber('rate', text.rate, 1, Math.floor(MOST_SHORT_CALLS / seconds)),
    warmUpSeconds: values.quick ? 3 : 5,
    nodeOptions: values['node-option'],
  };
}

async function main({ nodeOptions, ...load }: Options): Promise<void> {
  console.log(describeMachine('npm run load -- overload', 'C'));
  const programs = CPrograms.compile();
  if (!programs) throw new OptionError('npm run load -- overload needs Linux and a C compiler (cc)');
  const { calls, seconds, perSecond, warmUpSeconds } = load;
  try {
    const packets = join(programs.folder, 'packets');
    await writePackets(packets, 'PCMU', (warmUpSeconds + 3 * seconds + BESIDE_SECONDS) * PACKETS_PER_SECOND);
    const program = programs.path('rtp-generator');
    const echoProgram = programs.path('echo-pipeline');
    progress(`${calls} calls; alone, with ${perSecond} more a second, and alone, for ${seconds} s each …`);
    const measured = await measure(
      { kind: 'overload', program, packets, ...load },
      { nodeOptions, signal: stopping, standardLimits: true, probe: true, echoProgram },
    );
    console.log(`${overloadTable(measured)}\n${overloadNotes(measured)}\n${overloadAims(measured, calls)}`);
  } finally {
    programs.remove();
  }
}

await runCommand(readOptions, main);
