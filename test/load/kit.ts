import { sippAvailable } from '../support/sipp.ts';
import { progress, runCommand, stopping } from './command.ts';
import { readMetrics } from './gateway-probe.ts';
import { callAll, readCalls } from './kit-calls.ts';
import { type KitOptions, readKitOptions } from './kit-options.ts';
import { callsTable, metricsTable, sippTable } from './kit-report.ts';
import { OptionError } from './options.ts';
import { createSessions } from './sessions.ts';

/**
 * `npm run load -- kit --target 127.0.0.1:5060 --api http://127.0.0.1:8080 --key sk_… --calls 100 --rate 10`: SIPp calls any
 * gateway, with speech, and this prints what it saw and what the gateway says of those calls. Exit code 1 when one
 * failed. For the options see `kit-options.ts`.
 */
async function main(options: KitOptions): Promise<void> {
  const sipp = sippAvailable();
  if (!sipp.available) throw new OptionError(sipp.reason);
  const { api, calls, perSecond, callSeconds, target } = options;
  const made = options.users.length > 0 || !api ? [] : await createSessions(api, calls);
  const users = made.length > 0 ? made : options.users;
  const before = api && (await metricsOf(api.apiUrl));
  progress(`${calls} calls of ${callSeconds} s to ${target}, ${perSecond} a second, by ${sipp.reason} …`);
  const result = await callAll(options, users, stopping);
  stopping.throwIfAborted();
  console.log(`${sippTable(result)}\n`);
  if (api && made.length > 0) console.log(`${callsTable(await readCalls(api, made))}\n`);
  if (api && before) console.log(metricsTable(before, await readMetrics(api.apiUrl)));
  if (result.exitCode === 0) return;
  progress(result.errors);
  process.exitCode = 1;
}

/** They are an extra: a gateway may keep them to itself. */
async function metricsOf(apiUrl: string): Promise<Map<string, number> | undefined> {
  return readMetrics(apiUrl).catch((error: Error) => {
    progress(`The gateway's metrics cannot be read: ${error.message}`);
    return undefined;
  });
}

await runCommand(readKitOptions, main);
