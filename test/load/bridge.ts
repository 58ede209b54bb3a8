import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bridgeAims, costTable, outagesTable } from './bridge-report.ts';
import { CPrograms } from './c-programs.ts';
import { progress, runCommand, stopping } from './command.ts';
import { describeMachine } from './machine.ts';
import { writeVoices } from './media-packets.ts';
import { commonOptions, OptionError, wholeNumber } from './options.ts';
import { type Measured, measure } from './rig.ts';

/**
 * `npm run load -- bridge`: what sessions of two parties cost while they are translated, and what the parties hear when the
 * pipeline is killed and started again. It measures and prints; it passes or fails nothing. Options: `--sessions 100
 * --seconds 60 --restarts 5 --outage-ms 2000`, `--quick`, `--node-option=--cpu-prof` (repeatable).
 */

const WARM_UP_SECONDS = 5;
/** What an outage and its end take at most, beside the outage itself. */
const RESTART_SECONDS = 25;

interface Options {
  sessions: number;
  seconds: number;
  restarts: number;
  outageMs: number;
  nodeOptions: string[];
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      sessions: { type: 'string' },
      seconds: { type: 'string' },
      restarts: { type: 'string' },
      'outage-ms': { type: 'string', default: '2000' },
      ...commonOptions,
    },
  });
  const { quick } = values;
  return {
    sessions: wholeNumber('sessions', values.sessions ?? (quick ? '10' : '100'), 1, 2000),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '5' : '60'), 1, 600),
    restarts: wholeNumber('restarts', values.restarts ?? (quick ? '2' : '5'), 0, 50),
    outageMs: wholeNumber('outage-ms', values['outage-ms'], 0, 20_000),
    nodeOptions: values['node-option'],
  };
}

async function main(options: Options): Promise<void> {
  console.log(describeMachine('npm run load -- bridge'));
  const programs = CPrograms.compile();
  if (!programs)
    throw new OptionError('a C compiler is needed, on Linux: the parties are played by a program in C');
  try {
    const measured = await measureBridges(options, programs);
    console.log(
      `${costTable(measured)}\n${outagesTable(measured)}\n${bridgeAims(measured, options.outageMs)}`,
    );
  } finally {
    programs.remove();
  }
}

async function measureBridges({ nodeOptions, ...options }: Options, programs: CPrograms): Promise<Measured> {
  const { sessions, seconds, restarts, outageMs } = options;
  progress(
    `${sessions} sessions of two parties for ${seconds} s, then ${restarts} restarts of ${outageMs} ms …`,
  );
  const lasts = WARM_UP_SECONDS + seconds + restarts * (RESTART_SECONDS + outageMs / 1000) + 60;
  const pipelinePort = await freePort();
  const job = {
    kind: 'bridge',
    ...options,
    warmUpSeconds: WARM_UP_SECONDS,
    pipeline: { port: pipelinePort, speechFile: join(programs.folder, 'speech') },
    program: programs.path('rtp-generator'),
    packets: writeVoices(programs.folder, lasts),
  } as const;
  const pipelineUrl = `ws://127.0.0.1:${pipelinePort}/v1/sessions/{session_id}/connect?token={token}`;
  return measure(job, { nodeOptions, signal: stopping, probe: true, pipelineUrl });
}

/**
 * One below those that the system gives to whoever connects: while nobody listens, somebody else, or an attempt to connect
 * itself, could come by it.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}

await runCommand(readOptions, main);
