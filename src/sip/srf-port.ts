import type { EventEmitter } from 'node:events';
import Srf from 'drachtio-srf';
import type { Log } from '../telemetry/log.ts';

/**
 * drachtio-srf behind types of ours: what the application uses of it and nothing else. Its own types are thin, and it
 * has habits that callers must not meet: it drops the promise of an async handler, throws at `disconnect()` before the
 * link is up, and may hand over a dialog together with the first requests in it.
 */

export type SipMethod =
  | 'invite'
  | 'register'
  | 'options'
  | 'info'
  | 'message'
  | 'notify'
  | 'prack'
  | 'publish'
  | 'refer'
  | 'subscribe'
  | 'update';

export interface SipRequest {
  readonly method: string;
  readonly uri: string;
  readonly body: string | undefined;
  /** `network`, or `application` for a request that the engine made itself. */
  readonly source: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  /** All values of a header, joined by commas; undefined when it is absent. */
  get(header: string): string | undefined;
  on(event: 'cancel', listener: () => void): void;
}

interface ResponseOptions {
  headers?: Record<string, string>;
  body?: string;
}

export interface SipResponse {
  /** Whether a final response was sent. */
  readonly finalResponseSent: boolean;
  send(status: number, options?: ResponseOptions): void;
  send(status: number, reason: string, options?: ResponseOptions): void;
}

type InDialogListener = (request: SipRequest, response: SipResponse) => void;

export interface SipDialog {
  on(event: 'ack', listener: (request: SipRequest) => void): void;
  /** The peer's BYE, or the engine's own (`request.source` is `application`, `reason` its text). */
  on(event: 'destroy', listener: (request: SipRequest, reason: string) => void): void;
  /** A re-INVITE; it must be answered with `response`. */
  on(
    event:
      | 'modify'
      | 'info'
      | 'options'
      | 'update'
      | 'refer'
      | 'message'
      | 'notify'
      | 'publish'
      | 'subscribe',
    listener: InDialogListener,
  ): void;
  destroy(options: { headers: Record<string, string> }): Promise<unknown>;
}

export interface SrfConnection {
  /** Where the engine listens, as it says: `udp/192.0.2.1:5060`. */
  readonly hostports: readonly string[];
  readonly isUp: boolean;
  /**
   * Answers 200 and makes the dialog. `onDialog` runs in the same tick as the engine's confirmation, so that no ACK,
   * BYE or re-INVITE can come before the listeners that it attaches.
   */
  answer(
    request: SipRequest,
    response: SipResponse,
    options: { localSdp: string; headers: Record<string, string> },
    onDialog: (error: Error | undefined, dialog: SipDialog | undefined) => void,
  ): void;
  close(): void;
}

export interface SrfOptions {
  host: string;
  port: number;
  secret: string;
  log: Log;
  handlers: Readonly<
    Partial<Record<SipMethod, (request: SipRequest, response: SipResponse) => Promise<void>>>
  >;
  /** The link to the engine was lost, or is there again. */
  onLost: () => void;
  onBack: () => void;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Connects to an engine and routes the methods of `handlers` to it. @throws Error when it cannot be reached in 10 s */
export async function connectSrf(options: SrfOptions): Promise<SrfConnection> {
  const srf = new Srf();
  for (const [method, handler] of Object.entries(options.handlers)) {
    (srf as unknown as Record<string, (listener: unknown) => void>)[method]?.(
      safeHandler(handler, options.log),
    );
  }
  const link = new EngineLink(srf, options);
  await link.connected;
  return link;
}

class EngineLink implements SrfConnection {
  readonly #srf: Srf;
  readonly #options: SrfOptions;
  /** Settles with the first answer of the engine. */
  readonly connected: Promise<void>;
  hostports: readonly string[] = [];
  isUp = false;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(srf: Srf, options: SrfOptions) {
    this.#srf = srf;
    this.#options = options;
    const { host, port, secret, log } = options;
    this.connected = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const timer = setTimeout(() => {
      this.#fail(
        new Error(`no SIP engine answered at ${host}:${port} within ${CONNECT_TIMEOUT_MS / 1000} s`),
      );
    }, CONNECT_TIMEOUT_MS);
    const settled = () => clearTimeout(timer);
    this.connected.then(settled, settled);
    const emitter = srf as unknown as EventEmitter;
    emitter.on('connect', (error: Error | null, hostports: string) => this.#onConnect(error, hostports));
    emitter.on('error', (error: Error) => {
      log.warn({ err: error }, 'SIP engine link');
      this.#onDown();
    });
    emitter.on('reconnecting', () => this.#onDown());
    void srf.connect({ host, port, secret });
  }

  answer(...[request, response, { localSdp, headers }, onDialog]: Parameters<SrfConnection['answer']>): void {
    const callback = (error: unknown, dialog?: unknown) =>
      onDialog(error ? asError(error) : undefined, dialog as SipDialog | undefined);
    const createUas = this.#srf.createUAS as unknown as (...args: unknown[]) => void;
    createUas.call(this.#srf, request, response, { localSdp, headers }, callback);
  }

  close(): void {
    this.isUp = false;
    try {
      this.#srf.disconnect();
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the engine link was down already');
    }
  }

  #onConnect(error: Error | null, hostports: string): void {
    if (error) {
      this.#fail(new Error(`the SIP engine refused us: ${error.message}`));
      return;
    }
    this.hostports = hostports.split(',');
    this.isUp = true;
    if (this.#settle === undefined) this.#options.onBack();
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  /** Only a first connect fails; later ones are tried again for ever by drachtio-srf. */
  #fail(error: Error): void {
    const first = this.#settle;
    if (first === undefined) return;
    this.#settle = undefined;
    this.close();
    first.reject(error);
  }

  #onDown(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.#options.onLost();
  }
}

/** An async handler that fails costs its own request a 500, and nobody else anything. */
function safeHandler(handler: (request: SipRequest, response: SipResponse) => Promise<void>, log: Log) {
  return (request: SipRequest, response: SipResponse): void => {
    handler(request, response).catch((error: unknown) => {
      log.error(
        { err: error, method: request.method, call_id: request.get('Call-ID') },
        'SIP request failed',
      );
      if (!response.finalResponseSent) response.send(500);
    });
  };
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
