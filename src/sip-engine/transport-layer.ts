import { isIP } from 'node:net';
import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import {
  type Endpoint,
  type Flow,
  hostport,
  type Listener,
  type StreamLimits,
  type TransportEvents,
} from './transport.ts';
import { listenTcp } from './transport-stream.ts';
import { listenUdp } from './transport-udp.ts';

export interface ListenAddress {
  transport: 'udp' | 'tcp';
  /** Numeric address. `0.0.0.0` is every IPv4, `::` every IPv6 address of the machine; for both, listen on both. */
  host: string;
  /** 0: any free one. */
  port: number;
}

/** All sockets of the engine. */
export interface TransportLayer {
  /** Where the engine can be reached, like `udp/127.0.0.1:5060`: as advertised, and as bound. */
  readonly hostports: string[];
  readonly localHostports: string[];
  /** A flow to `target`, from the socket that `near` belongs to. */
  flowTo(target: Endpoint, near: Flow): Flow;
  close(): Promise<void>;
}

export interface TransportLayerOptions {
  listen: readonly ListenAddress[];
  advertisedAddress?: string;
  streamLimits: StreamLimits;
}

/**
 * Binds all addresses.
 * @throws Error naming the address that cannot be bound; those that were bound before it are closed again
 */
export async function openTransportLayer(
  options: TransportLayerOptions,
  events: TransportEvents,
  stats: EngineStats,
  clock: EngineClock,
): Promise<TransportLayer> {
  const { streamLimits } = options;
  const listeners: Listener[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  try {
    for (const { transport, host, port } of options.listen) {
      const advertisedAddress = advertised(options.advertisedAddress, host);
      const listener =
        transport === 'udp'
          ? await listenUdp({ host, port, advertisedAddress }, events, stats)
          : await listenTcp({ host, port, advertisedAddress, limits: streamLimits }, events, stats, clock);
      listeners.push(listener);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const localHostports = listeners.map(({ transport, local }) => hostport(transport, local));
  const hostports = listeners.map(({ transport, local: { address, port } }) =>
    hostport(transport, { address: advertised(options.advertisedAddress, address) ?? address, port }),
  );
  return {
    hostports,
    localHostports,
    flowTo: (target, near) => choose(listeners, target, near).flowTo(target),
    close,
  };
}

/** The advertised address, where it is a name or of the family of `host`. */
function advertised(address: string | undefined, host: string): string | undefined {
  const family = address === undefined ? 0 : isIP(address);
  return family === 0 || family === isIP(host) ? address : undefined;
}

/** The listener of the same transport and port as `near`, in the target's family. */
function choose(listeners: readonly Listener[], target: Endpoint, near: Flow): Listener {
  const sixth = target.address.includes(':');
  const same = listeners.filter(({ transport }) => transport === near.transport);
  const family = same.filter(({ local }) => local.address.includes(':') === sixth);
  const candidates = family.length > 0 ? family : same;
  return candidates.find(({ local }) => local.port === near.local.port) ?? candidates[0] ?? listeners[0]!;
}
