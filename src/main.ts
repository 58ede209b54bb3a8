import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { ConfigError, loadConfig } from './config/config.ts';
import { startGateway } from './gateway.ts';
import { createLog } from './telemetry/log.ts';

const STOP_WITHIN_MS = 10_000;

/** `npm start -- --config FILE`: the gateway as a process, until SIGTERM or SIGINT. */
async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  const config = loadConfig(values.config, process.env);
  const log = createLog(config.log.level);
  const gateway = await startGateway(config, log);
  closeWithGrace({ delay: STOP_WITHIN_MS, logger: false }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'stopping after an error that nobody caught');
    else log.info({ signal }, 'stopping');
    await gateway.stop();
  });
}

run().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
});
