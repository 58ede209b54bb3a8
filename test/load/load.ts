import { progress, runCommand, stopping } from './command.ts';
import { describeMachine } from './machine.ts';
import { type LoadOptions, readOptions } from './options.ts';
import { datagramCost } from './reference.ts';
import { aims, heldCallsTable, setUpsTable } from './report.ts';
import { type Measured, measure } from './rig.ts';

/**
 * `npm run load`: what a call costs the gateway, and how many it sets up per second. It measures and prints; it passes
 * or fails nothing. All traffic stays on loopback; the run is bounded by its options.
 */
const say = (text: string) => console.log(text);

async function main(options: LoadOptions): Promise<void> {
  const { warmUpSeconds, seconds } = options;
  const rig = { nodeOptions: options.nodeOptions, signal: stopping };
  say(describeMachine(undefined, 'TypeScript'));
  say(
    `Reference: a datagram sent and received in bare Node costs ${(await datagramCost()).toFixed(1)} us here; a call has 50 per s each way\n`,
  );
  const rows: Measured[] = [];
  for (const calls of options.calls) {
    progress(`${calls} calls for ${seconds} s …`);
    rows.push(await measure({ kind: 'held calls', calls, warmUpSeconds, seconds }, rig));
  }
  if (rows.length > 0) say(heldCallsTable(rows));
  const { setUps: wanted, setUpSeconds } = options;
  if (wanted === 0) {
    say(aims(rows, undefined));
    return;
  }
  progress(`${wanted} set-ups per second for ${setUpSeconds} s …`);
  const measured = await measure({ kind: 'set-ups', perSecond: wanted, seconds: setUpSeconds }, rig);
  say(setUpsTable(measured));
  say(aims(rows, { wanted, measured }));
}

await runCommand(readOptions, main);
