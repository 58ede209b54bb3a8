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
  const config = loadConfig(configFile(), process.env);
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

/** @throws ConfigError on any other option */
function configFile(): string | undefined {
  try {
    return parseArgs({ options: { config: { type: 'string' } } }).values.config;
  } catch (error) {
    const found = (error as Error).message;
    throw new ConfigError('command line', [{ path: '(options)', found, allowed: '--config FILE' }]);
  }
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

/** Errors of ours say in plain words what is in the way; of a defect it counts where it happened. */
function words(error: Error): string | undefined {
  if (error instanceof ConfigError) return error.message;
  return error.constructor === Error ? `the gateway cannot start: ${error.message}` : error.stack;
}

run().catch((error: unknown) => {
  process.stderr.write(`${words(error as Error)}\n`);
  process.exit(1);
});
