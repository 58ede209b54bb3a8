import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ConnectionTable, type TabledConnection } from '../connection-table.ts';
import { addressOf } from '../source-network.ts';

/** Connections at once; each takes a file, of which calls need some too. */
const MAX_CONNECTIONS = 1000;

/** A connection on which requests come; requests that are being answered depend on it. */
class HttpConnection implements TabledConnection {
  readonly address: string;
  readonly #socket: Socket;
  #requests = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.address = addressOf(socket);
  }

  inUse(): boolean {
    return this.#requests > 0;
  }

  cut(): void {
    this.#socket.destroy();
  }

  began(response: ServerResponse): void {
    this.#requests++;
    response.once('close', () => this.#requests--);
  }
}

/**
 * Bounds the connections of a server, so that those that are held open take no files from calls. A single source may have
 * all of them, for it may be a proxy that many come through; when all are taken, the source that holds most loses one that
 * waits for no answer. A connection that becomes a WebSocket is its taker's to bound.
 * @param onCut called for each that was closed
 */
export function boundConnections(server: Server, onCut: () => void, max = MAX_CONNECTIONS): void {
  const table = new ConnectionTable(max, max);
  const known = new WeakMap<Socket, HttpConnection>();
  server.on('connection', (socket: Socket) => {
    const isFull = table.size >= max;
    const connection = new HttpConnection(socket);
    if (isFull) onCut();
    if (!table.add(connection)) {
      socket.destroy();
      return;
    }
    known.set(socket, connection);
    socket.once('close', () => table.delete(connection));
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const connection = known.get(socket);
    if (connection === undefined) return;
    table.touch(connection);
    connection.began(response);
  });
  server.on('upgrade', ({ socket }: IncomingMessage) => {
    const connection = known.get(socket);
    if (connection !== undefined) table.delete(connection);
  });
}
