import { isIP } from 'node:net';
import type { Listening } from './resolve.ts';
import { SourceRate } from './source-rate.ts';
import type { EngineStats } from './stats.ts';
import { StreamConnections } from './stream-connections.ts';
import type { EngineClock } from './timers.ts';
import type { TlsHandshakes } from './tls-handshakes.ts';
import {
  type Flow,
  type Hop,
  hostport,
  type Listener,
  type StreamLimits,
  type TransportEvents,
  type TransportName,
} from './transport.ts';
import { listenStream, type StreamContext } from './transport-stream.ts';
import { listenUdp } from './transport-udp.ts';

export interface ListenAddress {
  transport: TransportName;
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
  /** A flow to `hop`, from the port of `near` where there is one: an open connection, or a new one. */
  flowTo(hop: Hop, near?: Flow): Flow;
  close(): Promise<void>;
}

export interface TransportLayerOptions {
  listen: readonly ListenAddress[];
  advertisedAddress?: string;
  streamLimits: StreamLimits;
  /** What TLS is spoken with; there where a `tls` address is listened on. */
  handshakes?: TlsHandshakes | undefined;
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
  const listeners: Listener[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  try {
    const { streamLimits } = options;
    const isExempt = (address: string): boolean => events.isExempt?.(address) ?? false;
    const connections = new StreamConnections(streamLimits, stats, isExempt);
    const handshakeRate = new SourceRate(streamLimits.maxHandshakesPerSecond, clock);
    const context = { connections, handshakeRate, events, stats, clock };
    for (const address of options.listen) listeners.push(await listen(address, options, context));
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
    flowTo: (hop, near) => choose(listeners, hop, near)?.flowTo(hop) ?? unreachable(hop),
    close,
  };
}

/** The transports, each with the address families that it can send to. */
export function listeningOn(listen: readonly ListenAddress[]): Listening {
  const byTransport = Map.groupBy(listen, ({ transport }) => transport);
  const familyOf = ({ host }: ListenAddress) => (isIP(host) === 6 ? 6 : 4);
  return new Map([...byTransport].map(([transport, all]) => [transport, new Set(all.map(familyOf))]));
}

function listen(
  { transport, host, port }: ListenAddress,
  { advertisedAddress, streamLimits: limits, handshakes }: TransportLayerOptions,
  context: StreamContext,
): Promise<Listener> {
  const address = { host, port, advertisedAddress: advertised(advertisedAddress, host) };
  if (transport === 'udp') return listenUdp(address, context.events, context.stats);
  if (transport === 'tcp') return listenStream({ ...address, limits }, context);
  if (handshakes === undefined)
    throw new Error(`SIP cannot listen on tls:${host}:${port} without a certificate`);
  return listenStream({ ...address, limits, handshakes }, context);
}

/** The advertised address, where it is a name or of the family of `host`. */
function advertised(address: string | undefined, host: string): string | undefined {
  const family = address === undefined ? 0 : isIP(address);
  return family === 0 || family === isIP(host) ? address : undefined;
}

/** The listener of the hop's transport and family, at the port of `near` if there are several. */
function choose(listeners: readonly Listener[], hop: Hop, near: Flow | undefined): Listener | undefined {
  const sixth = hop.address.includes(':');
  const same = listeners.filter(({ transport }) => transport === hop.transport);
  const family = same.filter(({ local }) => local.address.includes(':') === sixth);
  const candidates = family.length > 0 ? family : same;
  return candidates.find(({ local }) => local.port === near?.local.port) ?? candidates[0];
}

/** A transport that we do not speak: what was meant for TLS must not leave by another. */
function unreachable({ transport, address, port }: Hop): Flow {
  const remote = { address, port };
  return {
    transport,
    reliable: transport !== 'udp',
    local: remote,
    remote,
    open: false,
    send: (_, failed) =>
      queueMicrotask(() => failed?.(new Error(`the engine does not listen on ${transport}`))),
  };
}
