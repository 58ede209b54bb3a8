import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What came to a receiver. */
export interface Received {
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was sent
  body: any;
  raw: string;
  headers: IncomingMessage['headers'];
  path: string;
}

type Answer = (response: ServerResponse, received: Received) => void;

const ok: Answer = (response) => response.writeHead(200).end();

/** A webhook receiver on loopback, written from the contract alone. */
export class Receiver {
  readonly received: Received[] = [];
  /** How the next requests are answered. */
  answer: Answer = ok;
  readonly #server: Server;
  #arrived: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(answer: Answer = ok): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    receiver.answer = answer;
    server.on('request', async (request: IncomingMessage, response: ServerResponse) => {
      let raw = '';
      for await (const chunk of request) raw += chunk;
      const received = { body: JSON.parse(raw), raw, headers: request.headers, path: request.url ?? '' };
      receiver.received.push(received);
      for (const arrived of receiver.#arrived.splice(0)) arrived();
      receiver.answer(response, received);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  /** Resolves when so many have come. */
  async count(wanted: number): Promise<void> {
    while (this.received.length < wanted)
      await new Promise<void>((resolve) => {
        this.#arrived.push(resolve);
      });
  }

  /** The events of one session, in the order in which they came. */
  of(session: string): Received['body'][] {
    return this.received
      .map(({ body }) => body)
      .filter(({ data }) => (data.session_id ?? data.id) === session);
  }

  types(): string[] {
    return this.received.map(({ body }) => body.type);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Whether a request was signed with this secret (contract §8). */
export function isSigned({ headers, raw }: Received, secret: string): boolean {
  const [, t, given] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['kallglot-signature'])) ?? [];
  if (t === undefined || given === undefined) return false;
  const wanted = createHmac('sha256', secret).update(`${t}.${raw}`).digest();
  return timingSafeEqual(Buffer.from(given, 'hex'), wanted);
}
