import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type Server as TlsServer } from 'node:tls';
import type { Allowlist } from '../admission/allowlist.ts';
import type { Log } from '../telemetry/log.ts';
import { type ConnectionOptions, DrachtioConnection } from './drachtio-connection.ts';

/** Where drachtio-servers connect to us ("outbound connections" in drachtio's words). */
export interface ListenerOptions {
  address: string;
  port: number;
  secret: string;
  tags: readonly string[];
  /** From where they may come: whoever connects is believed in all that it tells of calls. */
  allowed: Allowlist;
  /** Absent: plain TCP. Asked again by `reload`. */
  tls: (() => TlsOptions) | undefined;
}

export interface EngineListenerOptions {
  handlers: ConnectionOptions['handlers'];
  log: Log;
}

/** How long a drachtio-server has to take our secret. */
const READY_MS = 5000;
/** A drachtio-server opens a connection for each new request and leaves closing it to us. */
const IDLE_MS = 2000;
const SWEEP_MS = 500;
const CONNECTIONS_MOST = 20_000;

/** Takes the connections of drachtio-servers: each brings one call, or another request, and is closed after it. */
export class EngineListener {
  readonly #listener: ListenerOptions;
  readonly #options: EngineListenerOptions;
  readonly #connections = new Set<DrachtioConnection>();
  readonly #server: Server;
  #sweep: NodeJS.Timeout | undefined;
  /** What the drachtio-servers say where they take SIP. */
  readonly #hostports = new Set<string>();

  constructor(listener: ListenerOptions, options: EngineListenerOptions) {
    this.#listener = listener;
    this.#options = options;
    const accept = (socket: Socket) => this.#accept(socket);
    const { tls } = listener;
    const plain = { noDelay: true, keepAlive: true };
    this.#server = tls ? createTlsServer({ ...plain, ...tls() }, accept) : createServer(plain, accept);
    // Before anything is said, and before a handshake.
    this.#server.prependListener('connection', (socket: Socket) => this.#turnAway(socket));
    this.#server.maxConnections = CONNECTIONS_MOST;
  }

  get hostports(): readonly string[] {
    return [...this.#hostports];
  }

  /** @throws Error when the address cannot be used */
  async start(): Promise<void> {
    const { address, port } = this.#listener;
    this.#server.listen({ host: address, port });
    await once(this.#server, 'listening');
    this.#server.on('error', (error) =>
      this.#options.log.error({ err: error }, 'the listener of SIP engines'),
    );
    this.#options.log.info({ listen: this.#server.address() }, 'drachtio-servers may connect');
    this.#sweep = setInterval(() => this.#closeIdle(), SWEEP_MS);
  }

  /** Reads the certificate again, for the connections that come. @returns whether there is one */
  reload(): boolean {
    const { tls } = this.#listener;
    if (tls === undefined) return false;
    try {
      (this.#server as TlsServer).setSecureContext(tls());
      this.#options.log.info('the certificate for drachtio-servers was read again');
    } catch (error) {
      this.#options.log.error(
        { err: error },
        'the certificate for drachtio-servers cannot be used; the old one stays',
      );
    }
    return true;
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.settled()));
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.close();
    await closed;
  }

  #turnAway(socket: Socket): void {
    const from = socket.remoteAddress ?? '';
    if (this.#listener.allowed.includes(from)) return;
    this.#options.log.warn({ source: from }, 'no drachtio-server of ours: turned away');
    socket.destroy();
  }

  #accept(socket: Socket): void {
    // Nobody listens to one that was turned away.
    socket.on('error', () => undefined);
    if (socket.destroyed) return;
    const { secret, tags } = this.#listener;
    const { handlers, log } = this.#options;
    const connection = new DrachtioConnection(socket, {
      ...{ secret, tags, routes: false, limited: true, handlers, log },
    });
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    const late = setTimeout(() => socket.destroy(new Error('it took no secret in time')), READY_MS);
    connection.ready.then(
      () => {
        clearTimeout(late);
        this.#learn(connection.hostports);
      },
      (error: Error) => {
        clearTimeout(late);
        log.warn(
          { source: socket.remoteAddress, reason: error.message },
          'a drachtio-server came to nothing',
        );
        socket.destroy();
      },
    );
  }

  #learn(hostports: readonly string[]): void {
    if (this.#hostports.size < 100) for (const one of hostports) this.#hostports.add(one);
  }

  #closeIdle(): void {
    for (const connection of this.#connections) if (connection.idleMs > IDLE_MS) connection.close();
  }
}
