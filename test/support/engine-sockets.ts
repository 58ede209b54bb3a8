import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type EngineReports, type RunningEngine, runEngine } from '../../src/sip-engine/engine-process.ts';
import type { TlsSettings } from '../../src/sip-engine/tls-settings.ts';
import { defaultStreamLimits, type StreamLimits } from '../../src/sip-engine/transport.ts';
import type { ListenAddress } from '../../src/sip-engine/transport-layer.ts';
import { certificateOf } from './certificates.ts';
import { request } from './engine-harness.ts';

/** An engine with its sockets, in this thread, and plain sockets towards it; all closed by `close`. */
export class EngineSockets {
  readonly #closing: (() => unknown)[] = [];

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  onClose(close: () => unknown): void {
    this.#closing.push(close);
  }

  async engine(
    listen: ListenAddress[],
    streams: Partial<StreamLimits> = {},
    tls?: TlsSettings,
    reports?: EngineReports,
  ): Promise<RunningEngine> {
    const limits = { streams: { ...defaultStreamLimits, ...streams } };
    const running = await runEngine({ listen, limits, tls }, reports);
    this.onClose(() => running.close());
    return running;
  }

  async dial(port: number, host = '127.0.0.1'): Promise<Socket> {
    const socket = connect({ host, port });
    socket.on('error', () => {});
    this.onClose(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  /** Trusts the CA of the tests and checks the name. @throws Error when the handshake fails */
  async dialTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = this.startTls(port, options);
    await once(socket, 'secureConnect');
    socket.on('error', () => {});
    return socket;
  }

  /** A handshake that may fail: the caller listens to `error`. */
  startTls(port: number, options: ConnectionOptions = {}): TLSSocket {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: certificateOf('ca'),
      ...options,
    });
    this.onClose(() => socket.destroy());
    return socket;
  }
}

export const portOf = (running: RunningEngine, at = 0): number =>
  Number(/:(\d+)$/.exec(running.hostports[at]!)![1]);

/** Whatever it is closed by: a reset counts as well. */
export const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

/** What the socket reads until it matches, or until the end. */
export async function read(socket: Socket, until: RegExp): Promise<string> {
  let text = '';
  for await (const [chunk] of chunks(socket)) {
    text += chunk;
    if (until.test(text)) return text;
  }
  return text;
}

async function* chunks(socket: Socket): AsyncGenerator<[Buffer]> {
  const end = closed(socket).then(() => undefined);
  for (;;) {
    const data = new Promise<[Buffer]>((resolve) => socket.once('data', (chunk: Buffer) => resolve([chunk])));
    const next = (await Promise.race([data, end])) as [Buffer] | undefined;
    if (next === undefined) return;
    yield next;
  }
}

export const optionsRequest = (
  transport: string,
  sentBy: string,
  branch = 'z9hG4bKo',
  viaParams = ';rport',
) => request({ method: 'OPTIONS', transport, sentBy, viaParams, branch });
