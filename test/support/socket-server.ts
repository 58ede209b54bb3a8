import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** One WebSocket that somebody has opened to a fake server. */
export interface Peer {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly request: IncomingMessage;
}

/** A WebSocket server on a free port of loopback, under the fake servers whose clients we are. */
export class SocketServer {
  /** HTTP status that answers upgrades from now on. */
  refuse: number | undefined;
  /** Whether ping frames are answered, on connections from now on. */
  answersPings = true;
  /** Upgrade requests so far, refused ones included. */
  attempts = 0;
  readonly #http: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  static async start(onPeer: (peer: Peer) => void): Promise<SocketServer> {
    const server = new SocketServer(onPeer);
    await server.restart();
    return server;
  }

  private constructor(onPeer: (peer: Peer) => void) {
    this.#http = createServer((_request, response) => response.writeHead(426).end());
    const servers = [true, false].map(
      (autoPong) => new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong }),
    );
    this.#http.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#http.on('upgrade', (request, socket, head) => {
      // Who is refused may reset the connection.
      socket.on('error', () => socket.destroy());
      this.attempts++;
      if (this.refuse !== undefined) {
        socket.end(`HTTP/1.1 ${this.refuse} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      servers[this.answersPings ? 0 : 1]!.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate());
        onPeer({ webSocket, socket: socket as Socket, request });
      });
    });
  }

  /** `ws://127.0.0.1:PORT`. */
  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** TCP connections that are open now. */
  get openSockets(): number {
    return this.#sockets.size;
  }

  /** As when its process is killed: connections are reset, and nobody listens. */
  async kill(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Listens, after a `kill` where it did before. @throws Error when somebody else does */
  async restart(): Promise<void> {
    this.#http.listen(this.#port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  /** Drops all connections and stops. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
