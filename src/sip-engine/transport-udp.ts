import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { isNewRequest } from './arrival.ts';
import { reachableAt } from './local-address.ts';
import { parseMessage, type SipMessage, SipParseError } from './message.ts';
import type { EngineStats } from './stats.ts';
import type { Endpoint, Flow, Listener, TransportEvents } from './transport.ts';

/** A burst of INVITEs waits in the kernel while JavaScript runs; Linux gives at most `net.core.rmem_max`. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export interface UdpOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  advertisedAddress?: string;
}

/**
 * Binds a UDP socket.
 * @throws Error with the address in its message when it cannot be bound (in use, not ours, not allowed)
 */
export async function listenUdp(
  options: UdpOptions,
  events: TransportEvents,
  stats: EngineStats,
): Promise<Listener> {
  const sixth = isIPv6(options.host);
  const socket = createSocket({ type: sixth ? 'udp6' : 'udp4', ipv6Only: sixth });
  await bind(socket, options);
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // The system's default has to do.
  }
  socket.on('error', () => {
    stats.transportErrors += 1;
  });
  const local = { address: options.host, port: socket.address().port };
  const reach = reachableAt(local, options.advertisedAddress);
  const outgoing = new Outgoing(socket, stats);
  const flowTo = (remote: Endpoint): Flow => new UdpFlow(outgoing, reach(remote.address), remote, events);
  socket.on('message', (bytes, { address, port }) => {
    stats.datagramsReceived += 1;
    if (isKeepAlive(bytes) || !events.hears(address)) return;
    const flow = flowTo({ address, port });
    const handle = (): void => receive(bytes, flow, events);
    if (events.arrive === undefined) handle();
    else events.arrive({ flow, isNew: () => isNewRequest(bytes), handle });
  });
  return {
    transport: 'udp',
    local,
    flowTo,
    close: async () => {
      await outgoing.sent();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

function bind(socket: Socket, { host, port }: UdpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use by another process' : error.message;
      socket.close();
      reject(new Error(`SIP cannot listen on udp/${host}:${port}: ${why}`, { cause: error }));
    });
    socket.bind({ address: host, port }, () => {
      socket.removeAllListeners('error');
      resolve();
    });
  });
}

function receive(bytes: Buffer, flow: Flow, events: TransportEvents): void {
  events.onWire('in', bytes, flow);
  let message: SipMessage;
  try {
    message = parseMessage(bytes);
  } catch (error) {
    if (!(error instanceof SipParseError)) throw error;
    events.unreadable(error, flow);
    return;
  }
  events.message(message, flow);
}

/** PBXs and NAT boxes send CRLF, zero bytes or nothing at all to keep a mapping open. */
function isKeepAlive(bytes: Buffer): boolean {
  return bytes.length <= 4 && bytes.every((byte) => byte === 0 || byte === 0x0d || byte === 0x0a);
}

/** ms that a closing socket waits for what was handed to it. */
const FLUSH_MS = 200;

/** What leaves by a socket. Node sends a datagram a little later than asked, and a closed socket sends none. */
class Outgoing {
  readonly #socket: Socket;
  readonly #stats: EngineStats;
  #unsent = 0;
  #onSent: (() => void) | undefined;

  constructor(socket: Socket, stats: EngineStats) {
    this.#socket = socket;
    this.#stats = stats;
  }

  send(bytes: Buffer, to: Endpoint, failed: ((error: Error) => void) | undefined): void {
    try {
      this.#unsent += 1;
      this.#socket.send(bytes, to.port, to.address, (error) => {
        this.#left();
        if (error !== null) this.#fail(error, failed);
      });
    } catch (error) {
      // A port or address that no socket takes, or a socket that is closed already.
      this.#left();
      queueMicrotask(() => this.#fail(error as Error, failed));
    }
  }

  /** Resolves when all that was handed over has left, or after a while. */
  async sent(): Promise<void> {
    if (this.#unsent === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, FLUSH_MS);
      this.#onSent = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #left(): void {
    this.#unsent -= 1;
    if (this.#unsent === 0) this.#onSent?.();
  }

  #fail(error: Error, failed: ((error: Error) => void) | undefined): void {
    this.#stats.transportErrors += 1;
    failed?.(error);
  }
}

class UdpFlow implements Flow {
  readonly transport = 'udp';
  readonly reliable = false;
  readonly open = true;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #outgoing: Outgoing;
  readonly #events: TransportEvents;

  constructor(outgoing: Outgoing, local: Endpoint, remote: Endpoint, events: TransportEvents) {
    this.#outgoing = outgoing;
    this.local = local;
    this.remote = remote;
    this.#events = events;
  }

  send(bytes: Buffer, failed?: (error: Error) => void): void {
    this.#events.onWire('out', bytes, this);
    this.#outgoing.send(bytes, this.remote, failed);
  }
}
