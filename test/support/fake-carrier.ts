import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A carrier's API on a free port of loopback: it answers every request with `status`, or never. */
export class FakeCarrier {
  status: number | 'never' = 200;
  readonly seen: { path: string; authorization: string }[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.seen.push({ path: request.url ?? '', authorization: request.headers.authorization ?? '' });
      if (this.status !== 'never') response.writeHead(this.status, { location: '/elsewhere' }).end('{}');
    });
  }

  static async start(): Promise<FakeCarrier> {
    const carrier = new FakeCarrier();
    carrier.#server.listen(0, '127.0.0.1');
    await once(carrier.#server, 'listening');
    return carrier;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
