import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions as TlsOptions, connect as tlsConnect } from 'node:tls';
import type { Log } from '../telemetry/log.ts';
import { type ConnectionOptions, DrachtioConnection, EngineRefusal } from './drachtio-connection.ts';

/** Where an engine is connected to, and what it wants to hear. */
export interface EngineAddress {
  host: string;
  port: number;
  secret: string;
  tags?: readonly string[];
  /** Absent: plain TCP. */
  tls?: TlsOptions | undefined;
}

/** An engine that we connect to: the embedded one, or a drachtio-server. */
export interface EngineSource {
  /** What the log calls it. */
  readonly name: string;
  /** It is a drachtio-server, whose reader has limits. */
  readonly limited: boolean;
  /** Where it is now; asked before each attempt. @throws Error when there is no use in trying */
  locate(): Promise<EngineAddress>;
  close(): Promise<void>;
}

export interface EngineLinkOptions {
  handlers: ConnectionOptions['handlers'];
  log: Log;
  onUp(): void;
  onLost(): void;
}

/** How long a start waits for the engine. */
const START_MS = 10_000;
/** How long an attempt may take. */
const ATTEMPT_MS = 5000;
/** Pauses between attempts double from the one to the other. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 4000;
/** A connection that held for so long has proved good. */
const STEADY_MS = 10_000;

/** The link to one engine: a connection, and after its loss another one, until it is closed. */
export class EngineLink {
  readonly #source: EngineSource;
  readonly #options: EngineLinkOptions;
  readonly #first = Promise.withResolvers<void>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #connection: DrachtioConnection | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  /** Why the last attempt failed; told once. */
  #told = '';
  hostports: readonly string[] = [];

  constructor(source: EngineSource, options: EngineLinkOptions) {
    this.#source = source;
    this.#options = options;
    this.#first.promise.catch(() => undefined);
  }

  /** Undefined while the link is down. */
  get connection(): DrachtioConnection | undefined {
    return this.#connection?.isUp ? this.#connection : undefined;
  }

  /**
   * Resolves when the link is up for the first time.
   * @throws Error when the engine is not to be had, refuses us, or has not answered within 10 s; it is tried on
   */
  async start(): Promise<void> {
    this.#running = this.#run();
    const timer = setTimeout(() => this.#first.reject(this.#tooLate()), START_MS);
    await this.#first.promise.finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#first.reject(new Error('closed while the SIP engine was started'));
    this.#connection?.close();
    await this.#running;
    await this.#source.close();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#hold().catch((error: unknown) => this.#failed(error as Error));
      await this.#pause();
    }
  }

  /** One connection from its beginning to its end. @throws Error when it does not come up */
  async #hold(): Promise<void> {
    const connection = await this.#connect();
    const since = performance.now();
    this.#told = '';
    this.hostports = connection.hostports;
    this.#first.resolve();
    this.#options.onUp();
    const why = await connection.closed;
    if (performance.now() - since > STEADY_MS) this.#pauseMs = FIRST_PAUSE_MS;
    if (this.#stop.signal.aborted) return;
    this.#options.log.error(
      { engine: this.#source.name, reason: why },
      'the link to the SIP engine was lost',
    );
    this.#options.onLost();
  }

  async #connect(): Promise<DrachtioConnection> {
    const address = await this.#locate();
    this.#stop.signal.throwIfAborted();
    const { handlers, log } = this.#options;
    const { secret, tags = [] } = address;
    const socket = open(address);
    const { limited } = this.#source;
    const connection = new DrachtioConnection(socket, { secret, tags, routes: true, limited, handlers, log });
    this.#connection = connection;
    const late = new Error(`it did not answer within ${ATTEMPT_MS / 1000} s`);
    const timer = setTimeout(() => socket.destroy(late), ATTEMPT_MS);
    try {
      await connection.ready;
      return connection;
    } catch (error) {
      connection.close();
      if (error instanceof EngineRefusal) this.#first.reject(this.#named(error));
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** An engine that cannot even be looked for stops the start. */
  async #locate(): Promise<EngineAddress> {
    try {
      return await this.#source.locate();
    } catch (error) {
      this.#first.reject(error);
      throw error;
    }
  }

  #failed(error: Error): void {
    if (this.#stop.signal.aborted || error.message === this.#told) return;
    this.#told = error.message;
    this.#options.log.warn({ engine: this.#source.name, reason: error.message }, 'no link to the SIP engine');
  }

  async #pause(): Promise<void> {
    await sleep(this.#pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #named = (error: Error): Error => new Error(`the SIP engine ${this.#source.name}: ${error.message}`);

  #tooLate = (): Error =>
    this.#named(new Error(`no answer within ${START_MS / 1000} s${this.#told && `, ${this.#told}`}`));
}

function open({ host, port, tls }: EngineAddress): Socket {
  const socket = tls === undefined ? connect({ host, port }) : tlsConnect({ host, port, ...tls });
  return socket.setNoDelay(true).setKeepAlive(true);
}
