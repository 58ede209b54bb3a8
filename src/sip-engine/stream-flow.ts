import type { Socket } from 'node:net';
import { StreamFramer } from './framing.ts';
import type { PeerCertificate } from './peer-certificate.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock, Timer } from './timers.ts';
import type { Endpoint, Flow, Hop, StreamLimits, TransportEvents } from './transport.ts';

const PONG = Buffer.from('\r\n');
/** How long a connection that is being closed may take to hand over its last bytes, ms. */
const LINGER_MS = 500;

export interface StreamFlowContext {
  limits: StreamLimits;
  events: TransportEvents;
  stats: EngineStats;
  clock: EngineClock;
  /** A whole message or keep-alive came. @returns whether there is a place for the connection */
  arrived(): boolean;
}

export interface StreamEnds {
  transport: 'tcp' | 'tls';
  local: Endpoint;
  remote: Endpoint;
  /** Of the peer that has opened it, if one of our CAs vouches for it. */
  certificate?: PeerCertificate | undefined;
  /** Where we opened it to. */
  hop?: Hop | undefined;
}

/** What a connection has a deadline for. */
type Waits = 'connection' | 'first message' | 'rest of a message' | 'next message';

/** One TCP or TLS connection that carries SIP, accepted or opened by us. */
export class StreamFlow implements Flow {
  readonly transport: 'tcp' | 'tls';
  readonly reliable = true;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly certificate: PeerCertificate | undefined;
  readonly #hop: Hop | undefined;
  /** Why it failed. */
  #error: Error | undefined;
  readonly #socket: Socket;
  readonly #context: StreamFlowContext;
  readonly #framer = new StreamFramer();
  /** Those who want to know that the connection failed before their bytes were handed over. */
  readonly #unsent = new Set<(error: Error) => void>();
  /** Those who wait for something that has to come by it. */
  readonly #watching = new Set<(error: Error) => void>();
  #aliasPort: number | undefined;
  #waits: Waits;
  #deadline: Timer;

  /** @param socket may still be connecting when it is ours; a TLS socket of a peer has its handshake behind it */
  constructor(socket: Socket, ends: StreamEnds, context: StreamFlowContext) {
    this.transport = ends.transport;
    this.local = ends.local;
    this.remote = ends.remote;
    this.certificate = ends.certificate;
    this.#hop = ends.hop;
    this.#socket = socket;
    this.#context = context;
    this.#waits = ends.hop === undefined ? 'first message' : 'connection';
    this.#deadline = this.#begin(this.#waits);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    // A peer that has half-closed gets what is still due by a new connection.
    socket.on('end', () => socket.end());
    socket.on('error', (error) => {
      context.stats.transportErrors += 1;
      this.#error = error;
    });
    socket.on('close', () => this.#closed());
  }

  get open(): boolean {
    return this.#socket.writable;
  }

  /**
   * Whether a request to `hop` may take this connection, instead of one to there. Over TLS the peer must have shown that it
   * is who the hop names: when we opened it, or by a client certificate (RFC 5923 §8.1).
   */
  leadsTo(hop: Hop): boolean {
    const { address, port } = this.remote;
    if (!this.open || address !== hop.address) return false;
    if (this.transport === 'tcp') return port === hop.port;
    const name = hop.name ?? hop.address;
    if (this.#hop !== undefined) return port === hop.port && name === (this.#hop.name ?? this.#hop.address);
    return hop.port === this.#aliasPort && this.certificate?.isFor(name) === true;
  }

  /** A peer without a good certificate could name the port of somebody else (RFC 5923 §8.2). */
  acceptAlias(port: number): void {
    if (this.certificate !== undefined) this.#aliasPort = port;
  }

  /** The connection that we opened is there. */
  connected(): void {
    if (this.#waits === 'connection') this.#wait('next message');
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
    if (this.#socket.writableLength > this.#context.limits.maxUnsentBytes) this.cut();
  }

  watch(broken: (error: Error) => void): () => void {
    this.#watching.add(broken);
    return () => void this.#watching.delete(broken);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Hands over what was written, then closes. */
  finish(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  cut(): void {
    this.#error ??= new Error('the connection was cut');
    this.#context.stats.connectionsCut += 1;
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    if (!this.#context.events.hears(this.remote.address)) {
      this.cut();
      return;
    }
    const events = this.#framer.feed(bytes);
    const complete = events.length > 0;
    if (complete && !this.#context.arrived()) {
      this.cut();
      return;
    }
    for (const event of events) {
      if (event.kind !== 'ping') this.#context.events.onWire('in', event.bytes, this);
      if (event.kind === 'message') this.#context.events.message(event.message, this);
      else if (event.kind === 'ping') this.#write(PONG);
      else {
        // What came before it on this connection may still wait for its turn.
        const cut = event.fatal ? () => this.#cutAfterAnswer() : undefined;
        this.#context.events.unreadable(event.error, this, cut);
      }
    }
    // The deadline moves with every message, not with every byte: a peer that trickles bytes is cut in the end.
    if (this.#framer.isPartial && (complete || this.#waits === 'next message'))
      this.#wait('rest of a message');
    else if (complete) this.#wait('next message');
  }

  #wait(waits: Waits): void {
    this.#deadline.cancel();
    if (!this.#socket.destroyed) this.#deadline = this.#begin(waits);
  }

  #begin(waits: Waits): Timer {
    const { handshakeMs, firstMessageMs, messageMs, idleMs } = this.#context.limits;
    const ms = {
      connection: handshakeMs,
      'first message': firstMessageMs,
      'rest of a message': messageMs,
      'next message': idleMs,
    };
    this.#waits = waits;
    return this.#context.clock.after(ms[waits], () => this.#expire());
  }

  #expire(): void {
    if (this.#waits === 'next message' && this.#context.events.inUse(this)) this.#wait('next message');
    else this.cut();
  }

  #cutAfterAnswer(): void {
    this.#context.stats.connectionsCut += 1;
    this.finish();
  }

  #closed(): void {
    this.#deadline.cancel();
    const error = this.#error ?? new Error('the connection was closed');
    for (const failed of this.#unsent) failed(error);
    this.#unsent.clear();
    if (this.#error !== undefined) for (const broken of [...this.#watching]) broken(error);
    this.#watching.clear();
  }
}
