import { connect, createServer, type Server, type Socket } from 'node:net';
import { StreamFramer } from './framing.ts';
import { reachableAt } from './local-address.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock, Timer } from './timers.ts';
import type { Endpoint, Flow, Listener, StreamLimits, TransportEvents } from './transport.ts';

export interface TcpOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  advertisedAddress?: string;
  limits: StreamLimits;
}

const PONG = Buffer.from('\r\n');
const OS_KEEP_ALIVE_MS = 60_000;

/**
 * Listens for TCP connections.
 * @throws Error with the address in its message when it cannot be bound (in use, not ours, not allowed)
 */
export async function listenTcp(
  options: TcpOptions,
  events: TransportEvents,
  stats: EngineStats,
  clock: EngineClock,
): Promise<Listener> {
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: OS_KEEP_ALIVE_MS });
  await bind(server, options);
  const bound = server.address();
  const local = { address: options.host, port: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  const listener = new TcpListener(server, local, options, events, stats, clock);
  server.on('error', () => {
    stats.transportErrors += 1;
  });
  server.on('connection', (socket) => listener.accept(socket));
  return listener;
}

function bind(server: Server, { host, port }: TcpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use by another process' : error.message;
      reject(new Error(`SIP cannot listen on tcp/${host}:${port}: ${why}`, { cause: error }));
    });
    server.listen({ host, port, ipv6Only: true }, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}

class TcpListener implements Listener {
  readonly transport = 'tcp';
  readonly local: Endpoint;
  readonly #server: Server;
  readonly #limits: StreamLimits;
  readonly #events: TransportEvents;
  readonly #stats: EngineStats;
  readonly #clock: EngineClock;
  readonly #reach: (remote: string) => Endpoint;
  readonly #connections = new Set<TcpFlow>();
  readonly #bySource = new Map<string, number>();

  constructor(
    server: Server,
    local: Endpoint,
    options: TcpOptions,
    events: TransportEvents,
    stats: EngineStats,
    clock: EngineClock,
  ) {
    this.#server = server;
    this.local = local;
    this.#limits = options.limits;
    this.#events = events;
    this.#stats = stats;
    this.#clock = clock;
    this.#reach = reachableAt(local, options.advertisedAddress);
  }

  accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    if (this.#isFull(address) || address === '' || !this.#events.admits(address)) {
      this.#stats.connectionsRefused += 1;
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#add(socket, { address, port: socket.remotePort ?? 0 });
  }

  flowTo(remote: Endpoint): Flow {
    for (const flow of this.#connections) {
      if (flow.open && flow.remote.address === remote.address && flow.remote.port === remote.port)
        return flow;
    }
    const socket = connect({ host: remote.address, port: remote.port, noDelay: true, keepAlive: true });
    const full = this.#isFull(remote.address);
    const flow = this.#add(socket, remote);
    if (full) {
      this.#stats.connectionsRefused += 1;
      socket.destroy();
    }
    return flow;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const flow of this.#connections) flow.finish();
    await closed;
  }

  #isFull(address: string): boolean {
    const { maxConnections, maxConnectionsPerSource } = this.#limits;
    return (
      this.#connections.size >= maxConnections ||
      (this.#bySource.get(address) ?? 0) >= maxConnectionsPerSource
    );
  }

  #add(socket: Socket, remote: Endpoint): TcpFlow {
    const flow = new TcpFlow(socket, this.#reach(remote.address), remote, {
      limits: this.#limits,
      events: this.#events,
      stats: this.#stats,
      clock: this.#clock,
      closed: () => this.#remove(flow),
    });
    this.#connections.add(flow);
    this.#bySource.set(remote.address, (this.#bySource.get(remote.address) ?? 0) + 1);
    this.#stats.connections += 1;
    return flow;
  }

  #remove(flow: TcpFlow): void {
    if (!this.#connections.delete(flow)) return;
    const left = (this.#bySource.get(flow.remote.address) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(flow.remote.address);
    else this.#bySource.set(flow.remote.address, left);
    this.#stats.connections -= 1;
  }
}

interface FlowContext {
  limits: StreamLimits;
  events: TransportEvents;
  stats: EngineStats;
  clock: EngineClock;
  closed(): void;
}

/** How long a connection that is being closed may take to hand over its last bytes, ms. */
const LINGER_MS = 500;

/** One TCP connection, accepted or opened by us. */
class TcpFlow implements Flow {
  readonly transport = 'tcp';
  readonly reliable = true;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #socket: Socket;
  readonly #context: FlowContext;
  readonly #framer = new StreamFramer();
  /** Those who want to know that the connection failed before their bytes were handed over. */
  readonly #unsent = new Set<(error: Error) => void>();
  #deadline: Timer;

  constructor(socket: Socket, local: Endpoint, remote: Endpoint, context: FlowContext) {
    this.#socket = socket;
    this.local = local;
    this.remote = remote;
    this.#context = context;
    this.#deadline = context.clock.after(context.limits.firstMessageMs, () => this.#expire());
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    // A peer that has half-closed gets what is still due by a new connection.
    socket.on('end', () => socket.end());
    socket.on('error', () => {
      context.stats.transportErrors += 1;
    });
    socket.on('close', () => this.#closed());
  }

  get open(): boolean {
    return this.#socket.writable;
  }

  send(bytes: Buffer, failed?: (error: Error) => void): void {
    if (!this.open) {
      if (failed !== undefined) queueMicrotask(() => failed(new Error('the connection is closed')));
      return;
    }
    this.#context.events.onWire('out', bytes, this);
    this.#write(bytes, failed);
  }

  #write(bytes: Buffer, failed?: (error: Error) => void): void {
    if (failed !== undefined) this.#unsent.add(failed);
    this.#socket.write(bytes, (error) => {
      if (failed !== undefined && this.#unsent.delete(failed) && error) failed(error);
    });
    if (this.#socket.writableLength > this.#context.limits.maxUnsentBytes) this.#cut();
  }

  /** Hands over what was written, then closes. */
  finish(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #read(bytes: Buffer): void {
    let complete = false;
    for (const event of this.#framer.feed(bytes)) {
      complete = true;
      if (event.kind !== 'ping') this.#context.events.onWire('in', event.bytes, this);
      if (event.kind === 'message') this.#context.events.message(event.message, this);
      else if (event.kind === 'ping') this.#write(PONG);
      else {
        this.#context.events.unreadable(event.error, this);
        if (event.fatal) this.#cutAfterAnswer();
      }
    }
    // The deadline moves with every message, not with every byte: a peer that trickles bytes is cut in the end.
    if (complete) this.#restart(this.#context.limits.idleMs);
  }

  #restart(ms: number): void {
    this.#deadline.cancel();
    if (!this.#socket.destroyed) this.#deadline = this.#context.clock.after(ms, () => this.#expire());
  }

  #expire(): void {
    if (this.#context.events.inUse(this)) this.#restart(this.#context.limits.idleMs);
    else this.#cut();
  }

  #cutAfterAnswer(): void {
    this.#context.stats.connectionsCut += 1;
    this.finish();
  }

  #cut(): void {
    this.#context.stats.connectionsCut += 1;
    this.#socket.destroy();
  }

  #closed(): void {
    this.#deadline.cancel();
    this.#context.closed();
    const error = new Error('the connection was closed');
    for (const failed of this.#unsent) failed(error);
    this.#unsent.clear();
  }
}
