import { randomBytes } from 'node:crypto';
import { defaultLimits, type EngineLimits } from './context.ts';
import { createEngineCore, type EngineCore } from './core.ts';
import { openDrachtioServer } from './drachtio-server.ts';
import { systemEngineClock } from './timers.ts';
import { type ListenAddress, openTransportLayer } from './transport-layer.ts';

/** What a running engine needs to know; plain data, so that it can go to a worker. */
export interface EngineSettings {
  listen: ListenAddress[];
  advertisedAddress?: string;
  limits?: Partial<EngineLimits>;
}

/** A whole engine with its sockets, in the thread that calls. */
export interface RunningEngine {
  readonly core: EngineCore;
  /** Where applications connect, on 127.0.0.1, and what they have to say. */
  readonly port: number;
  readonly secret: string;
  readonly hostports: string[];
  close(): Promise<void>;
}

/** @throws Error naming the address that cannot be bound */
export async function runEngine(settings: EngineSettings): Promise<RunningEngine> {
  const limits = { ...defaultLimits, ...settings.limits };
  const core = createEngineCore({ clock: systemEngineClock, limits });
  const transport = await openTransportLayer(
    { listen: settings.listen, advertisedAddress: settings.advertisedAddress, streamLimits: limits.streams },
    core,
    core.stats,
    systemEngineClock,
  );
  core.attach(transport);
  const secret = randomBytes(24).toString('hex');
  const server = await openDrachtioServer(core, secret).catch(async (error: unknown) => {
    await transport.close();
    throw error;
  });
  return {
    core,
    port: server.port,
    secret,
    hostports: transport.hostports,
    async close() {
      // Applications first: their calls get a BYE, which still has to leave by the sockets.
      await server.close();
      await transport.close();
      core.close();
    },
  };
}
