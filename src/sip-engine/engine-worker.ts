import { parentPort, workerData } from 'node:worker_threads';
import type { EngineAnswer, FromEngine, ToEngine } from './engine-control.ts';
import { type EngineSettings, type RunningEngine, runEngine } from './engine-process.ts';

/** Entry of the engine's thread. */
const port = parentPort;
if (port === null) throw new Error('engine-worker.ts runs as a worker thread only');
const tell = (message: FromEngine): void => port.postMessage(message);
const answer = (id: number, answer: EngineAnswer): void => tell({ type: 'answer', id, answer });

try {
  const engine = await runEngine(workerData as EngineSettings, {
    fault: (stack) => tell({ type: 'fault', stack }),
    certificate: (report) => tell({ type: 'certificate', report }),
  });
  port.on('message', (message: ToEngine) => obey(engine, message));
  const { secret, hostports, certificate } = engine;
  tell({ type: 'ready', port: engine.port, secret, hostports, certificate });
} catch (error) {
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
}

function obey(engine: RunningEngine, message: ToEngine): void {
  if (message.type === 'ban') engine.core.bans.add(message.address, message.forMs);
  else if (message.type === 'unban') engine.core.bans.remove(message.address);
  else if (message.type === 'exempt_networks') engine.core.exemptions.setNetworks(message.networks);
  else if (message.type === 'exempt') engine.core.exemptions.add(message.address, message.forMs);
  else if (message.type === 'reload_certificate') engine.reloadCertificate();
  else if (message.type === 'trace') answer(message.id, engine.trace.of(message.callId));
  else if (message.type === 'stats') answer(message.id, { ...engine.core.stats });
  else void engine.close().then(() => tell({ type: 'closed' }));
}
