import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TabledConnection } from '../connection-table.ts';
import { reachableAt, sourceTowards } from './local-address.ts';
import type { SourceRate } from './source-rate.ts';
import type { EngineStats } from './stats.ts';
import type { StreamConnections } from './stream-connections.ts';
import { type StreamEnds, StreamFlow } from './stream-flow.ts';
import type { EngineClock } from './timers.ts';
import type { TlsHandshakes } from './tls-handshakes.ts';
import type { StreamLimits, TransportEvents } from './transport.ts';
import { type Endpoint, type Flow, type Hop, hostport, type Listener } from './transport.ts';

export interface StreamOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  advertisedAddress?: string;
  limits: StreamLimits;
  /** What makes it TLS; without it TCP. */
  handshakes?: TlsHandshakes | undefined;
}

/** What the listeners of one engine share. */
export interface StreamContext {
  connections: StreamConnections;
  handshakeRate: SourceRate;
  events: TransportEvents;
  stats: EngineStats;
  clock: EngineClock;
}

const OS_KEEP_ALIVE_MS = 60_000;

/**
 * Listens for TCP or TLS connections.
 * @throws Error with the address in its message when it cannot be bound (in use, not ours, not allowed)
 */
export async function listenStream(options: StreamOptions, context: StreamContext): Promise<Listener> {
  const transport = options.handshakes === undefined ? 'tcp' : 'tls';
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: OS_KEEP_ALIVE_MS });
  await bind(server, transport, options);
  const bound = server.address();
  const local = { address: options.host, port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  const listener = new StreamListener(server, local, options, context);
  server.on('error', () => {
    context.stats.transportErrors += 1;
  });
  server.on('connection', (socket) => listener.accept(socket));
  return listener;
}

function bind(server: Server, transport: 'tcp' | 'tls', { host, port }: StreamOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use by another process' : error.message;
      const where = hostport(transport, { address: host, port });
      reject(new Error(`SIP cannot listen on ${where}: ${why}`, { cause: error }));
    });
    server.listen({ host, port, ipv6Only: true }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

const connectTo = ({ address: host, port }: Hop, source: string | undefined): Socket =>
  connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    ...(source !== undefined && { localAddress: source }),
  });

/** One connection from the moment on at which its socket is there. */
interface Connection extends TabledConnection {
  flow: StreamFlow | undefined;
}

class StreamListener implements Listener {
  readonly transport: 'tcp' | 'tls';
  readonly local: Endpoint;
  readonly #server: Server;
  readonly #limits: StreamLimits;
  readonly #handshakes: TlsHandshakes | undefined;
  readonly #context: StreamContext;
  readonly #reach: (remote: string) => Endpoint;
  readonly #open = new Set<Connection>();

  constructor(server: Server, local: Endpoint, options: StreamOptions, context: StreamContext) {
    this.transport = options.handshakes === undefined ? 'tcp' : 'tls';
    this.#server = server;
    this.local = local;
    this.#limits = options.limits;
    this.#handshakes = options.handshakes;
    this.#context = context;
    this.#reach = reachableAt(local, options.advertisedAddress);
  }

  accept(socket: Socket): void {
    const { connections, events, stats } = this.#context;
    // A peer may reset the connection at any time, also before anybody looks at it.
    socket.on('error', () => {});
    const remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    if (remote.address === '' || !events.admits(remote.address) || this.#isTooFast(remote.address)) {
      stats.connectionsRefused += 1;
      socket.destroy();
      return;
    }
    const connection = this.#connection(socket, remote);
    if (!connections.accepted(connection)) socket.destroy();
    else if (this.#handshakes === undefined) this.#carry(connection, socket, { remote });
    else this.#secure(connection, socket, remote, this.#handshakes);
  }

  flowTo(hop: Hop): Flow {
    for (const { flow } of this.#open) if (flow?.leadsTo(hop)) return flow;
    const remote = { address: hop.address, port: hop.port };
    const source = sourceTowards(this.local.address, hop.address);
    const socket = this.#handshakes?.connect(hop, source) ?? connectTo(hop, source);
    const connection = this.#connection(socket, remote);
    const placed = this.#context.connections.opened(connection);
    const flow = this.#carry(connection, socket, { remote, hop });
    socket.once(this.transport === 'tls' ? 'secureConnect' : 'connect', () => flow.connected());
    if (!placed) socket.destroy();
    return flow;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#open) {
      if (connection.flow === undefined) connection.cut();
      else connection.flow.finish();
    }
    await closed;
  }

  #isTooFast(address: string): boolean {
    const { handshakeRate, events } = this.#context;
    return this.#handshakes !== undefined && !handshakeRate.admits(address) && !events.isExempt?.(address);
  }

  #connection(socket: Socket, { address }: Endpoint): Connection {
    const { connections, events, stats } = this.#context;
    const connection: Connection = {
      address,
      flow: undefined,
      inUse: () => connection.flow !== undefined && events.inUse(connection.flow),
      cut: () => {
        stats.connectionsCut += 1;
        socket.destroy();
      },
    };
    this.#open.add(connection);
    socket.once('close', () => {
      this.#open.delete(connection);
      connections.closed(connection);
    });
    return connection;
  }

  /** A handshake that lasts too long is cut: Node's own timeout begins again with every byte. */
  #secure(connection: Connection, socket: Socket, remote: Endpoint, handshakes: TlsHandshakes): void {
    const deadline = this.#context.clock.after(this.#limits.handshakeMs, () => connection.cut());
    socket.once('close', () => deadline.cancel());
    handshakes.accept(socket, (secured, certificate) => {
      deadline.cancel();
      this.#carry(connection, secured, { remote, certificate });
    });
  }

  #carry(
    connection: Connection,
    socket: Socket,
    ends: Pick<StreamEnds, 'remote' | 'certificate' | 'hop'>,
  ): StreamFlow {
    const { connections, events, stats, clock } = this.#context;
    const flow = new StreamFlow(
      socket,
      { ...ends, transport: this.transport, local: this.#reach(ends.remote.address) },
      { limits: this.#limits, events, stats, clock, arrived: () => connections.arrived(connection) },
    );
    connection.flow = flow;
    return flow;
  }
}
