import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { ConfigError, loadConfig } from './config/config.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { createLog } from './telemetry/log.ts';

const STOP_WITHIN_MS = 10_000;

/** `npm start -- --config FILE`: the gateway as a process, until SIGTERM or SIGINT; SIGHUP is for a renewed certificate. */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  const config = loadConfig(values.config, process.env);
  const log = createLog(config.log.level);
  let gateway: Gateway | undefined;
  // From the first moment on, or one that comes early would end the process.
  process.on('SIGHUP', () => gateway?.reload());
  const running = await startGateway(config, log);
  gateway = running;
  const grace = { delay: STOP_WITHIN_MS, logger: false as const, skip: ['SIGHUP' as const] };
  closeWithGrace(grace, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'stopping after an error that nobody caught');
    else log.info({ signal }, 'stopping');
    await running.stop();
  });
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
});
