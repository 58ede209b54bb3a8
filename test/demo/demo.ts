import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseConfig } from '../../src/config/config.ts';
import { type Gateway, startGateway } from '../../src/gateway.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { firstCall } from './first-call.ts';
import { printHowToCall } from './how-to-call.ts';
import { openaiCall } from './openai-call.ts';
import { twoPartyCall } from './two-party-call.ts';

/**
 * `npm run demo`: the gateway with the embedded engine, store and echo pipeline on loopback, a session over its own
 * REST API, and one real call to it; then a conversation of two parties that outlives its pipeline. Then it stays up for
 * calls of yours; with `--once` it ends after that, with exit code 0 only if everybody heard what they should.
 *
 * `npm run demo -- --pipeline openai` has a conversation translated by OpenAI instead, and ends: with exit code 0 if it was
 * heard, 1 if not, and 2 where there is no key to try it with. `--pipeline-url` names another address of the service.
 */
const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    address: { type: 'string', default: '127.0.0.1' },
    verbose: { type: 'boolean', default: false },
    pipeline: { type: 'string' },
    'pipeline-url': { type: 'string' },
  },
});

if (values.pipeline !== undefined) process.exit(await otherPipeline(values.pipeline));

const apiKey = 'sk_test_demo_0123456789';
const folder = mkdtempSync(join(tmpdir(), 'kallglot-demo-'));
const say = (text: string) => console.log(text);

/** A conversation at another pipeline than the embedded one. @returns the exit code */
async function otherPipeline(dialect: string): Promise<number> {
  if (dialect !== 'openai') {
    console.log(`--pipeline ${dialect}: only openai can be tried here; without it the embedded pipeline is.`);
    return 2;
  }
  if (!process.env.OPENAI_API_KEY) {
    console.log(
      'OPENAI_API_KEY is not set in the environment, so OpenAI cannot be tried. Nothing was started.',
    );
    return 2;
  }
  return (await openaiCall((text) => console.log(text), values['pipeline-url'])) ? 0 : 1;
}

/** The usual port where it is free, else any. */
async function freePort(wanted: number): Promise<number> {
  const { address } = values;
  const free = await new Promise<boolean>((resolve) => {
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    udp.once('error', () => resolve(false));
    udp.bind({ address, port: wanted, exclusive: true }, () => {
      udp.close();
      const tcp = createServer();
      tcp.once('error', () => resolve(false));
      tcp.listen({ host: address, port: wanted }, () => tcp.close(() => resolve(true)));
    });
  });
  return free ? wanted : 0;
}

async function start(): Promise<Gateway> {
  const { address } = values;
  const host = address.includes(':') ? `[${address}]` : address;
  const sipPort = await freePort(5060);
  const config = parseConfig({
    sip: { listen: [`udp:${host}:${sipPort}`, `tcp:${host}:${sipPort}`] },
    api: { listen: `${host}:${await freePort(8080)}` },
    store: { url: `sqlite:${join(folder, 'demo.db')}` },
    media: { address },
    organizations: [
      {
        id: 'demo',
        name: 'Demo',
        api_keys: [apiKey],
        sip: { username: 'demo', password: 'demo-password', allowed_ips: [] },
      },
    ],
  });
  return startGateway(config, createLog(values.verbose ? 'debug' : 'warn'));
}

const gateway = await start();
let stopping: Promise<void> | undefined;
const stop = () => {
  stopping ??= gateway.stop().finally(() => rmSync(folder, { recursive: true, force: true }));
  return stopping;
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => void stop().then(() => process.exit(0)));

const heard = (await firstCall(gateway, apiKey, say)) && (await twoPartyCall(say));
if (values.once || !heard) {
  await stop();
  process.exit(heard ? 0 : 1);
}
await printHowToCall(gateway, apiKey, say);
