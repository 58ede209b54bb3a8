import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP way to a server on loopback that takes its time: what goes through it either way arrives `delayMs` later. */
export class SlowLink {
  delayMs = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param port of the server behind it */
  static async open(port: number): Promise<SlowLink> {
    const server = createServer();
    const link = new SlowLink(server);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      link.#pass(near, far);
      link.#pass(far, near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Chunks keep their order: of each the delay counts from its arrival, and is not shortened by the next. */
  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    let before = Promise.resolve();
    const inTurn = (act: () => void) => {
      const due = new Promise((resolve) => setTimeout(resolve, this.delayMs));
      before = before.then(() => due).then(act);
    };
    from.on('data', (chunk) => inTurn(() => to.write(chunk)));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      inTurn(() => to.end());
    });
  }
}
