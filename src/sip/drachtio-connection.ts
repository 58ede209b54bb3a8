import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import Srf from 'drachtio-srf';
import type { PlacedCall } from '../bridge/dialer.ts';
import type { Log } from '../telemetry/log.ts';
import { DrachtioWire } from './drachtio-wire.ts';
import { type CreateUac, OutgoingInvite } from './outgoing-invite.ts';
import { PendingWork } from './pending-work.ts';
import type {
  CarriedLeg,
  DialEvents,
  DialRequest,
  RequestHandler,
  SipAnswer,
  SipDialog,
  SipHandlers,
  SipRequest,
  SipResponse,
  SrfConnection,
} from './srf-port.ts';

export interface ConnectionOptions {
  secret: string;
  /** By which a drachtio-server's request handler may choose among applications. */
  tags: readonly string[];
  /** Whether we ask for our methods; an engine that connects to us sends what it likes. */
  routes: boolean;
  /** It is a drachtio-server, whose reader has limits. */
  limited: boolean;
  log: Log;
  handlers: (connection: SrfConnection) => SipHandlers;
}

/** How long an engine that reads nothing more is waited for at the end. */
const LINGER_MS = 500;

/** What goes on to drachtio-srf's dialog; anything else it would answer 200, 202 or 501 by itself. */
const inDialog: ReadonlySet<string> = new Set(['INVITE', 'ACK', 'BYE', 'INFO', 'OPTIONS', 'UPDATE']);

/**
 * drachtio-srf on one connection to an engine, behind the port of `srf-port.ts`. It has habits that nobody else here shall
 * meet: it drops the promise of an async handler, calls listeners where nothing catches what they throw, answers by itself
 * what a dialog does not know, may hand over a dialog together with the first requests in it, and forgets what it waits for
 * when the connection is lost. Each connection has a drachtio-srf of its own, which ends with it.
 */
export class DrachtioConnection implements SrfConnection {
  readonly #srf = new Srf();
  readonly #agent: Agent;
  readonly #socket: Socket;
  readonly #wire: DrachtioWire;
  readonly #options: ConnectionOptions;
  readonly #onRefusedInDialog: SipHandlers['refusedInDialog'];
  readonly #carried = new Set<CarriedLeg>();
  readonly #handling = new PendingWork();
  readonly #asked = new PendingWork();
  /** Resolves when the engine has taken our secret. Rejects with why it has not, or has gone before. */
  readonly ready: Promise<void>;
  /** Resolves with why, when the connection has ended in whatever way. */
  readonly closed: Promise<string>;
  /** Where the engine takes SIP: the addresses that it tells its peers, and those that it listens on behind a NAT. */
  hostports: readonly string[] = [];
  isUp = false;

  /** @param socket connected, or about to be */
  constructor(socket: Socket, options: ConnectionOptions) {
    const { log, routes, limited } = options;
    this.#socket = socket;
    this.#options = options;
    const { refusedInDialog, refusedUnread, ...handlers } = options.handlers(this);
    this.#onRefusedInDialog = refusedInDialog;
    for (const [method, handler] of Object.entries(handlers)) this.#route(method, handler);
    (this.#srf.use as unknown as (handler: object) => void).call(this.#srf, this.#unrouted);
    const onFrame = guard(log, (payload: string) => this.#agent._onMsg(socket, payload));
    this.#wire = new DrachtioWire(socket, { routes, limited, log, onFrame, onRefused: refusedUnread });
    this.#agent = this.#openAgent();
    this.closed = new Promise((resolve) => {
      let why = 'it was closed';
      socket.on('error', (error) => {
        why = error.message;
      });
      socket.on('close', () => resolve(why));
    });
    void this.closed.then((why) => this.#lost(why));
    this.ready = this.#authenticate();
    this.ready.catch(() => undefined);
  }

  carry(leg: CarriedLeg): void {
    if (leg.signal.aborted) return;
    this.#carried.add(leg);
    leg.signal.addEventListener('abort', () => this.#carried.delete(leg), { once: true });
  }

  answer(...[request, response, { localSdp, headers }, onDialog]: Parameters<SrfConnection['answer']>): void {
    const callback = guard(this.#options.log, (error: unknown, dialog?: DrachtioDialog) =>
      onDialog(error ? asError(error) : undefined, dialog && this.#guarded(dialog)),
    );
    const createUas = this.#srf.createUAS as unknown as (...args: unknown[]) => void;
    createUas.call(this.#srf, request, response, { localSdp, headers }, callback);
  }

  dial(request: DialRequest, events: DialEvents): PlacedCall {
    if (!this.isUp) throw new EngineLost('the link to the SIP engine is down');
    const createUac = this.#srf.createUAC.bind(this.#srf) as unknown as CreateUac;
    const { log } = this.#options;
    return new OutgoingInvite(createUac, request, {
      provisional: guard(log, (answer) => events.provisional(answer)),
      update: guard(log, (update, response) => events.update(update, response)),
      answered: guard(log, (dialog: DrachtioDialog) => events.answered(this.#guarded(dialog), dialog.res)),
      failed: guard(log, (status, detail, contact) => events.failed(status, detail, contact)),
    });
  }

  /** How long nothing has come of a connection that carries no call and owes no answer, ms; 0 while it does. */
  get idleMs(): number {
    const busy = this.#carried.size + this.#handling.size + this.#asked.size > 0;
    return busy || !this.isUp ? 0 : performance.now() - this.#wire.heardAt;
  }

  /** Resolves when every request that was taken is handled. */
  async settled(): Promise<void> {
    while (this.#handling.size > 0) await this.#handling.next();
  }

  /** What was sent before still leaves. */
  close(): void {
    const connected = this.isUp;
    this.isUp = false;
    if (!connected) this.#socket.destroy();
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  /** What drachtio-srf calls an agent, with our wire in the place of its own. */
  #openAgent(): Agent {
    const { app } = this.#srf as unknown as { app: { client?: Agent; _init(): Agent } };
    const agent = app._init();
    app.client = agent;
    agent.secret = this.#options.secret;
    agent.tags = [...this.#options.tags];
    agent.wp = this.#wire;
    return agent;
  }

  #authenticate(): Promise<void> {
    const accepted = new Promise<void>((resolve, reject) => {
      this.#agent.on(
        'connect',
        (error: Error | null, told = '', _version?: string, local?: string | null) => {
          if (error) return reject(new EngineRefusal('it refuses our secret'));
          this.hostports = [...new Set([told, local ?? ''].flatMap(listed))];
          this.isUp = true;
          resolve();
        },
      );
      void this.closed.then((why) => reject(new Error(why)));
    });
    this.#agent._onConnect(this.#socket);
    return accepted;
  }

  #route(method: string, handler: RequestHandler): void {
    const routes = this.#srf as unknown as Record<string, (listener: unknown) => void>;
    routes[method]?.(this.#safe(handler));
  }

  /** In a dialog that is not there any more; drachtio-srf would answer 404, and might hang up. */
  readonly #unrouted = (request: SipRequest, response: SipResponse): void => {
    if (request.method !== 'ACK') response.send(481);
  };

  /** A dialog whose listeners may throw, and that takes only the methods that are ours. */
  #guarded(dialog: DrachtioDialog): SipDialog {
    const { log } = this.#options;
    const handle = dialog.handle.bind(dialog);
    dialog.handle = guard(log, (request: SipRequest, response: SipResponse) => {
      // Of a provisional response that our 200 has overtaken; the engine has matched it.
      if (request.method === 'PRACK') response.send(200);
      else if (inDialog.has(request.method)) handle(request, response);
      else this.#onRefusedInDialog(request, response);
    });
    return {
      on: (event: string, listener: (...args: never[]) => void) =>
        void dialog.on(event, guard(log, listener)),
      request: (options) => this.#asked.wait(dialog.request(options)),
      destroy: (options) => this.#asked.wait(dialog.destroy(options)),
    };
  }

  /** An async handler that fails costs its own request a 500, and nobody else anything. */
  #safe(handler: RequestHandler) {
    return (request: SipRequest, response: SipResponse): void => {
      // The first request may come in the turn in which the link comes up.
      const work = this.isUp ? handler(request, response) : this.ready.then(() => handler(request, response));
      this.#handling.wait(work).catch((error: unknown) => {
        if (error instanceof EngineLost) return;
        const call = { method: request.method, call_id: request.get('Call-ID') };
        this.#options.log.error({ err: error, ...call }, 'SIP request failed');
        if (!response.finalResponseSent) response.send(500);
      });
    };
  }

  #lost(why: string): void {
    this.isUp = false;
    this.#agent._onClose(this.#socket);
    for (const leg of [...this.#carried]) leg.end('engine_lost', true);
    const error = new EngineLost(why);
    this.#handling.lost(error);
    this.#asked.lost(error);
  }
}

/** The engine wants another secret: it is not to be expected that asking again helps. */
export class EngineRefusal extends Error {
  override name = 'EngineRefusal';
}

/** What waits for an engine that is gone. */
export class EngineLost extends Error {
  override name = 'EngineLost';
}

/** drachtio-srf's `DrachtioAgent`, as far as it is used here: what its own connections call. */
interface Agent extends EventEmitter {
  secret: string;
  tags: string[];
  wp: DrachtioWire;
  /** Authenticates, and asks for the routes. */
  _onConnect(socket: Socket): void;
  _onMsg(socket: Socket, payload: string): void;
  _onClose(socket: Socket): void;
}

/** drachtio-srf's dialog, as far as it is used here. */
export interface DrachtioDialog {
  /** The 200 that made it, of a call that we placed. */
  res: SipAnswer;
  on(event: string, listener: (...args: never[]) => void): unknown;
  handle: (request: SipRequest, response: SipResponse) => void;
  /** Answers challenges of requests in it, by MD5. */
  auth?: DialRequest['credentials'] | undefined;
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

const listed = (hostports: string): string[] => hostports.split(',').filter((one) => one !== '');

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
