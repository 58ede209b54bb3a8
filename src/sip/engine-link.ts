import type { EventEmitter } from 'node:events';
import Srf from 'drachtio-srf';
import type { PlacedCall } from '../bridge/dialer.ts';
import type { Log } from '../telemetry/log.ts';
import { type CreateUac, OutgoingInvite } from './outgoing-invite.ts';
import type {
  DialEvents,
  DialRequest,
  RequestHandler,
  SipAnswer,
  SipDialog,
  SipRequest,
  SipResponse,
  SrfConnection,
  SrfOptions,
} from './srf-port.ts';

/**
 * drachtio-srf behind the port of `srf-port.ts`. It has habits that nobody else here shall meet: it drops the promise of
 * an async handler, calls listeners where nothing catches what they throw, answers by itself what a dialog does not
 * know, throws at `disconnect()` before the link is up, and may hand over a dialog together with the first requests in it.
 */
const CONNECT_TIMEOUT_MS = 10_000;
/** Longest pause between two attempts to reach an engine that went away; drachtio-srf's own has no end. */
const RECONNECT_MOST_MS = 5000;

/** What goes on to drachtio-srf's dialog; anything else it would answer 200, 202 or 501 by itself. */
const inDialog: ReadonlySet<string> = new Set(['INVITE', 'ACK', 'BYE', 'INFO', 'OPTIONS', 'UPDATE']);

export class EngineLink implements SrfConnection {
  readonly #srf: Srf;
  readonly #options: SrfOptions;
  /** Settles with the first answer of the engine, or rejects when there is none within 10 s. */
  readonly connected: Promise<void>;
  hostports: readonly string[] = [];
  isUp = false;
  #settle: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(options: SrfOptions) {
    this.#options = options;
    this.#srf = new Srf();
    const { host, port, secret, handlers, log } = options;
    for (const [method, handler] of Object.entries(handlers)) {
      (this.#srf as unknown as Record<string, (listener: unknown) => void>)[method]?.(this.#safe(handler));
    }
    this.connected = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const why = `no SIP engine answered at ${host}:${port} within ${CONNECT_TIMEOUT_MS / 1000} s`;
    const timer = setTimeout(() => this.#fail(new Error(why)), CONNECT_TIMEOUT_MS);
    const settled = () => clearTimeout(timer);
    this.connected.then(settled, settled);
    const emitter = this.#srf as unknown as EventEmitter;
    emitter.on('connect', (error: Error | null, hostports: string) => this.#onConnect(error, hostports));
    emitter.on('error', (error: Error) => {
      log.warn({ err: error }, 'SIP engine link');
      this.#onDown();
    });
    emitter.on('reconnecting', () => this.#onDown());
    const connect = this.#srf.connect as unknown as (how: object) => void;
    connect.call(this.#srf, { host, port, secret, reconnect: { retryMaxDelay: RECONNECT_MOST_MS } });
  }

  answer(...[request, response, { localSdp, headers }, onDialog]: Parameters<SrfConnection['answer']>): void {
    const callback = guard(this.#options.log, (error: unknown, dialog?: DrachtioDialog) =>
      onDialog(error ? asError(error) : undefined, dialog && this.#guarded(dialog)),
    );
    const createUas = this.#srf.createUAS as unknown as (...args: unknown[]) => void;
    createUas.call(this.#srf, request, response, { localSdp, headers }, callback);
  }

  dial(request: DialRequest, events: DialEvents): PlacedCall {
    if (!this.isUp) throw new Error('the link to the SIP engine is down');
    const createUac = this.#srf.createUAC.bind(this.#srf) as unknown as CreateUac;
    const { log } = this.#options;
    return new OutgoingInvite(createUac, request, {
      provisional: guard(log, (answer) => events.provisional(answer)),
      update: guard(log, (update, response) => events.update(update, response)),
      answered: guard(log, (dialog: DrachtioDialog) => events.answered(this.#guarded(dialog), dialog.res)),
      failed: guard(log, (status, detail, contact) => events.failed(status, detail, contact)),
    });
  }

  close(): void {
    this.isUp = false;
    try {
      this.#srf.disconnect();
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the engine link was down already');
    }
  }

  /** A dialog whose listeners may throw, and that takes only the methods that are ours. */
  #guarded(dialog: DrachtioDialog): SipDialog {
    const { log, onRefusedInDialog } = this.#options;
    const handle = dialog.handle.bind(dialog);
    dialog.handle = guard(log, (request: SipRequest, response: SipResponse) => {
      // Of a provisional response that our 200 has overtaken; the engine has matched it.
      if (request.method === 'PRACK') response.send(200);
      else if (inDialog.has(request.method)) handle(request, response);
      else onRefusedInDialog(request, response);
    });
    return {
      on: (event: string, listener: (...args: never[]) => void) =>
        void dialog.on(event, guard(log, listener)),
      request: (options) => dialog.request(options),
      destroy: (options) => dialog.destroy(options),
    };
  }

  /** An async handler that fails costs its own request a 500, and nobody else anything. */
  #safe(handler: RequestHandler) {
    return (request: SipRequest, response: SipResponse): void => {
      // The first request may come in the turn in which the link comes up.
      const run = this.isUp
        ? handler(request, response)
        : this.connected.then(() => handler(request, response));
      run.catch((error: unknown) => {
        const call = { method: request.method, call_id: request.get('Call-ID') };
        this.#options.log.error({ err: error, ...call }, 'SIP request failed');
        if (!response.finalResponseSent) response.send(500);
      });
    };
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

/** drachtio-srf's dialog, as far as it is used here. */
export interface DrachtioDialog {
  /** The 200 that made it, of a call that we placed. */
  res: SipAnswer;
  on(event: string, listener: (...args: never[]) => void): unknown;
  handle: (request: SipRequest, response: SipResponse) => void;
  request: SipDialog['request'];
  destroy(options: { headers: Record<string, string> }): Promise<unknown>;
}

/** A listener that throws is logged; thrown on, it would end the process and with it every call. */
export function guard<Args extends unknown[]>(
  log: Log,
  listener: (...args: Args) => void,
): (...args: Args) => void {
  return (...args) => {
    try {
      listener(...args);
    } catch (error) {
      log.error({ err: error }, 'a SIP listener failed');
    }
  };
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
