import { parseArgs } from 'node:util';
import type { CallTransportName } from './call-transport.ts';
import { progress, runCommand, stopping } from './command.ts';
import { describeMachine } from './machine.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { type Measured, measure, type RigOptions } from './rig.ts';
import { memoryTable, type SipRow, sipAims, sipTable } from './sip-report.ts';

/**
 * `npm run load -- sip`: what the set-up of a call costs, in two rows: signalling alone, and whole calls with link and
 * durable records. It measures and prints; it passes or fails nothing. Options: `--transports udp,tcp,tls --rate 500
 * --whole-rate 200 --seconds 60 --calls 100000` (of the look at the memory), `--steps 750,1000,1250` (rates that are tried
 * until one fails), `--quick`, `--node-option=--cpu-prof` (repeatable). Times over 35 s have the transaction timers in
 * them.
 */

const full = { transports: 'udp,tcp,tls', rate: '500', 'whole-rate': '200', seconds: '60' };
const quick = { transports: 'udp', rate: '200', 'whole-rate': '50', seconds: '8' };

interface Options {
  transports: CallTransportName[];
  rate: number;
  wholeRate: number;
  seconds: number;
  /** Calls of the look at the memory; 0 leaves it out. */
  calls: number;
  steps: number[];
  nodeOptions: string[];
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      transports: { type: 'string' },
      rate: { type: 'string' },
      'whole-rate': { type: 'string' },
      seconds: { type: 'string' },
      calls: { type: 'string' },
      steps: { type: 'string' },
      ...commonOptions,
    },
  });
  const defaults = values.quick
    ? { ...quick, calls: '0', steps: '' }
    : { ...full, calls: '100000', steps: '750,1000,1250,1500' };
  const text = { ...defaults, ...values };
  const transports = text.transports.split(',').map((one) => {
    if (one === 'udp' || one === 'tcp' || one === 'tls') return one;
    throw new OptionError(`--transports: found ${JSON.stringify(one)}; allowed: udp, tcp, tls`);
  });
  return {
    transports,
    rate: wholeNumber('rate', text.rate, 0, 5_000),
    wholeRate: wholeNumber('whole-rate', text['whole-rate'], 0, 5_000),
    seconds: wholeNumber('seconds', text.seconds, 1, 600),
    calls: wholeNumber('calls', text.calls, 0, 1_000_000),
    steps: text.steps === '' ? [] : text.steps.split(',').map((one) => wholeNumber('steps', one, 1, 5_000)),
    nodeOptions: values['node-option'],
  };
}

const WARM_UP_SECONDS = 5;
const STEP_SECONDS = 15;
/** Longer than any transaction lives. */
const REST_SECONDS = 40;

async function main(options: Options): Promise<void> {
  console.log(describeMachine('npm run load -- sip'));
  const { transports, rate, wholeRate, seconds } = options;
  const rows: SipRow[] = [];
  for (const [subject, perSecond] of [
    ['signalling', rate],
    ['gateway', wholeRate],
  ] as const) {
    for (const transport of perSecond === 0 ? [] : transports) {
      progress(`${subject}, ${transport}, ${perSecond} set-ups per second for ${seconds} s …`);
      const measured = await setUps(options, { subject, transport }, perSecond, seconds);
      rows.push({ subject, transport, perSecond, measured });
    }
  }
  console.log(sipTable(rows));
  console.log(sipAims(rows));
  await findHighest(options);
  await lookAtMemory(options);
}

/** Rates one after the other, until one fails. */
async function findHighest(options: Options): Promise<void> {
  const rows: SipRow[] = [];
  for (const perSecond of options.steps) {
    progress(`signalling, udp, ${perSecond} set-ups per second for ${STEP_SECONDS} s …`);
    const subject = 'signalling';
    const measured = await setUps(options, { subject, transport: 'udp' }, perSecond, STEP_SECONDS);
    rows.push({ subject, transport: 'udp', perSecond, measured });
    const { result } = measured;
    if (result.kind !== 'sip set-ups' || result.succeeded < result.tried || result.setUp.p99 > 1_000) break;
  }
  if (rows.length > 0)
    console.log(`Rising rates, until calls fail or p99 is over a second:\n\n${sipTable(rows)}`);
}

async function lookAtMemory(options: Options): Promise<void> {
  const { calls, rate } = options;
  if (calls === 0 || rate === 0) return;
  progress(`signalling, udp, ${calls} calls at ${rate} per second, then ${REST_SECONDS} s of rest …`);
  const job = {
    ...({ kind: 'sip set-ups', transport: 'udp', perSecond: rate, warmUpSeconds: WARM_UP_SECONDS } as const),
    ...{ seconds: calls / rate, anySession: true, markEvery: calls / 5, restSeconds: REST_SECONDS },
  };
  const { nodeOptions } = options;
  const measured = await measure(job, { nodeOptions, signal: stopping, subject: 'signalling' });
  console.log(memoryTable(calls, measured));
}

function setUps(
  { nodeOptions }: Options,
  what: Required<Pick<RigOptions, 'subject' | 'transport'>>,
  perSecond: number,
  seconds: number,
): Promise<Measured> {
  return measure(
    {
      ...({ kind: 'sip set-ups', transport: what.transport, perSecond, seconds } as const),
      ...{
        warmUpSeconds: WARM_UP_SECONDS,
        anySession: what.subject === 'signalling',
        markEvery: 0,
        restSeconds: 0,
      },
    },
    { ...what, nodeOptions, signal: stopping, watchThreads: true },
  );
}

await runCommand(readOptions, main);
