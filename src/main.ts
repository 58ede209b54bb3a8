import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { ConfigError, loadConfig } from './config/config.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { LogOutput } from './telemetry/log-output.ts';

const STOP_WITHIN_MS = 10_000;
const STANDARD_OUTPUT = 1;

/**
 * `npm start -- --config FILE`: the gateway as a process. SIGTERM and SIGINT let it drain first, a second one cuts that
 * short; SIGHUP is for a renewed certificate.
 */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  const config = loadConfig(values.config, process.env);
  const output = new LogOutput(STANDARD_OUTPUT);
  process.on('exit', () => output.flushSync());
  const log = createLog(config.log.level, { showNumbers: config.log.show_numbers, destination: output });
  let gateway: Gateway | undefined;
  // From the first moment on, or one that comes early would end the process.
  process.on('SIGHUP', () => gateway?.reload());
  const running = await startGateway(config, log);
  gateway = running;
  const skip = ['SIGHUP' as const, 'SIGTERM' as const, 'SIGINT' as const];
  const grace = closeWithGrace({ delay: STOP_WITHIN_MS, logger: false, skip }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'stopping after an error that nobody caught');
    else log.info({ signal }, 'stopping');
    await running.stop();
  });
  drainAtSignal(running, log, () => grace.close());
}

/** @param stop hangs up what is still there, and ends the process */
function drainAtSignal(gateway: Gateway, log: Log, stop: () => void): void {
  const impatience = new AbortController();
  let draining = false;
  const onSignal = (signal: NodeJS.Signals) => {
    log.info({ signal }, draining ? 'the drain is cut short' : 'the gateway is to stop');
    if (draining) impatience.abort();
    else void gateway.drain(impatience.signal).finally(stop);
    draining = true;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
});
