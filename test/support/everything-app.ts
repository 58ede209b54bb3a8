import { once } from 'node:events';
import Srf from 'drachtio-srf';

const methods = [
  'invite',
  'register',
  'options',
  'message',
  'bye',
  'info',
  'update',
  'prack',
  'refer',
] as const;

export interface TakenRequest {
  readonly method: string;
  readonly uri: string;
  readonly body: string | undefined;
  get(name: string): string;
}

type Handler = (request: TakenRequest, response: { send(status: number): void }) => void;

/** The part of drachtio-srf that is used here; its own types are thinner. */
interface SrfApi extends NodeJS.EventEmitter, Record<(typeof methods)[number], (handler: Handler) => void> {
  connect(options: object): void;
  disconnect(): void;
}

/** A drachtio-srf application that takes every request, and answers INVITE with 486 and the rest with 200. */
export class EverythingApp {
  readonly #srf = new Srf() as unknown as SrfApi;

  /** @param taken hears of each request */
  constructor(taken: (request: TakenRequest) => void = () => {}) {
    for (const method of methods) {
      this.#srf[method]((request, response) => {
        taken(request);
        response.send(request.method === 'INVITE' ? 486 : 200);
      });
    }
  }

  async connect(engine: { host: string; port: number; secret: string }): Promise<void> {
    const connected = once(this.#srf, 'connect');
    const { host, port, secret } = engine;
    this.#srf.connect({ host, port, secret });
    await connected;
  }

  disconnect(): void {
    this.#srf.disconnect();
  }
}
