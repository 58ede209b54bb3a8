import { Answers } from './answers.ts';
import type { AppLink } from './app-link.ts';
import { Bans } from './bans.ts';
import { defaultLimits, type EngineContext, type EngineLimits } from './context.ts';
import type { Dialog } from './dialog.ts';
import { Dialogs } from './dialogs.ts';
import type { AppSide } from './drachtio-session.ts';
import { envelopeOf } from './envelope.ts';
import { Exemptions } from './exemptions.ts';
import { Load } from './load.ts';
import type { SipMessage, SipParseError, SipResponse } from './message.ts';
import { PeerLoads } from './overload-control.ts';
import { ownAddresses } from './own-address.ts';
import { PendingRequests } from './pending-requests.ts';
import { ProxyServer } from './proxy-server.ts';
import { Refusals } from './refusals.ts';
import type { Resolver } from './resolve.ts';
import { Routes } from './routes.ts';
import { LEAST_SESSION_SECONDS } from './session-expires.ts';
import { SessionRefresh } from './session-refresh.ts';
import { SessionTimers } from './session-timers.ts';
import { type EngineStats, newStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import { Transactions } from './transactions.ts';
import type { Flow, Hop, TransportEvents } from './transport.ts';
import { Uac } from './uac.ts';
import { Uas } from './uas.ts';
import { validateResponse } from './validate.ts';
import { RETRY_AFTER } from './write-response.ts';

/** What the core needs of its transports; sockets in the gateway, recorders in tests. */
interface CoreTransport {
  readonly hostports: readonly string[];
  readonly localHostports: readonly string[];
  flowTo(hop: Hop, near?: Flow): Flow;
}

export interface CoreOptions {
  clock: EngineClock;
  resolver: Resolver;
  limits?: EngineLimits;
  stats?: EngineStats;
  /** The shortest session interval that a peer may ask for in a dialog (RFC 4028). */
  minSessionSeconds?: number;
}

/** The engine without sockets: what transports tell it (`TransportEvents`), what applications ask of it (`AppSide`). */
export interface EngineCore extends Omit<TransportEvents, 'onWire'>, AppSide {
  readonly stats: EngineStats;
  readonly bans: Bans;
  readonly exemptions: Exemptions;
  readonly load: Load;
  /** Whether a source is exempt, or has a call up. */
  isKnown(address: string): boolean;
  /** Gives the core its transports, once, before anything is received. */
  attach(transport: CoreTransport): void;
  /** Is a dialog of this call up, or early? */
  hasCall(callId: string): boolean;
  /** Stops all timers. */
  close(): void;
}

export function createEngineCore(options: CoreOptions): EngineCore {
  return new Core(options);
}

const noTransport = (): Flow => {
  throw new Error('the engine has no transports yet');
};

class Core implements EngineCore {
  readonly stats: EngineStats;
  readonly bans: Bans;
  readonly exemptions: Exemptions;
  readonly load: Load;
  readonly #context: EngineContext;
  readonly #pending: PendingRequests;
  readonly #answers: Answers;
  readonly #proxy: ProxyServer;
  readonly #uas: Uas;
  readonly #uac: Uac;
  #isOwn: (hop: Hop) => boolean = () => false;
  #transport: CoreTransport = { hostports: [], localHostports: [], flowTo: noTransport };

  constructor(options: CoreOptions) {
    const { clock, resolver, limits = defaultLimits, stats = newStats() } = options;
    this.stats = stats;
    this.bans = new Bans(clock, stats, limits.maxBans);
    this.exemptions = new Exemptions(clock);
    this.load = new Load(stats);
    this.#context = {
      clock,
      stats,
      limits,
      transactions: new Transactions(clock, stats, limits, (source) => this.exemptions.has(source)),
      dialogs: new Dialogs(stats),
      routes: new Routes(),
      bans: this.bans,
      exemptions: this.exemptions,
      isKnown: (address) => this.exemptions.has(address) || this.#context.dialogs.hasSource(address),
      load: this.load,
      peerLoads: new PeerLoads(clock),
      sessionTimers: this.#sessionTimers(clock, options.minSessionSeconds ?? LEAST_SESSION_SECONDS),
      resolver,
      flowTo: (hop, near) => this.#transport.flowTo(hop, near),
      isOwn: (hop) => this.#isOwn(hop),
    };
    this.#pending = new PendingRequests(stats);
    this.#uac = new Uac(this.#context);
    this.#answers = new Answers(this.#context, this.#pending, (dialog) =>
      this.#uac.endDialog(dialog, 'ACK timeout'),
    );
    const refusals = new Refusals(this.#context);
    this.#proxy = new ProxyServer(this.#context, this.#pending, this.#answers, refusals);
    this.#uas = new Uas(this.#context, this.#pending, this.#answers, refusals, this.#proxy);
  }

  #sessionTimers(clock: EngineClock, minSeconds: number): SessionTimers {
    const expired = (dialog: Dialog): void => {
      this.stats.sessionsExpired += 1;
      this.#uac.endDialog(dialog, 'Session timer expired');
    };
    const refresh = (dialog: Dialog): void =>
      new SessionRefresh(this.#context, this.#uac.inDialog, expired).refresh(dialog);
    const isUp = (dialog: Dialog): boolean => dialog.confirmed && this.#context.dialogs.has(dialog);
    return new SessionTimers(clock, minSeconds, { isUp, refresh, expired });
  }

  get hostports(): readonly string[] {
    return this.#transport.hostports;
  }

  get localHostports(): readonly string[] {
    return this.#transport.localHostports;
  }

  now(): number {
    return this.#context.clock.now();
  }

  attach(transport: CoreTransport): void {
    this.#transport = transport;
    this.#isOwn = ownAddresses(...transport.hostports, ...transport.localHostports);
  }

  close(): void {
    for (const pending of this.#pending.all()) pending.patience.cancel();
    this.#uac.close();
    this.#proxy.close();
    for (const dialog of this.#context.dialogs.all()) this.#context.dialogs.remove(dialog);
    this.#context.transactions.close();
  }

  message(message: SipMessage, flow: Flow): void {
    this.stats.messagesReceived += 1;
    if (message.kind === 'request') this.#uas.receive(message, flow);
    else this.#response(message, flow);
  }

  unreadable(error: SipParseError, flow: Flow): void {
    this.stats.messagesReceived += 1;
    this.#uas.unreadable(error, flow);
  }

  hears(address: string): boolean {
    if (this.admits(address) || this.#context.transactions.hasPeer(address)) return true;
    this.stats.dropsBanned += 1;
    return false;
  }

  isKnown(address: string): boolean {
    return this.#context.isKnown(address);
  }

  admits(address: string): boolean {
    return (
      !this.bans.has(address) || this.#context.dialogs.hasSource(address) || this.#proxy.hasSource(address)
    );
  }

  hasCall(callId: string): boolean {
    return this.#context.dialogs.byCallId(callId) !== undefined;
  }

  inUse(flow: Flow): boolean {
    return this.#context.dialogs.usesFlow(flow) || this.#proxy.usesFlow(flow);
  }

  route(app: AppLink, verb: string): void {
    this.#context.routes.add(verb, app);
  }

  unroute(app: AppLink, verb: string): void {
    this.#context.routes.remove(verb, app);
  }

  respond: AppSide['respond'] = (app, transactionId, response) =>
    this.#answers.respond(app, transactionId, response);

  request: AppSide['request'] = (app, scope, request) => this.#uac.request(app, scope, request);

  proxy: AppSide['proxy'] = (app, order, headers, report) => this.#proxy.order(app, order, headers, report);

  connected(): void {
    this.stats.applications += 1;
  }

  /** A real server would leave the calls of a lost application as they are; we end them, so that no caller hangs. */
  gone(app: AppLink): void {
    this.stats.applications -= 1;
    this.#context.routes.removeAll(app);
    this.#proxy.gone(app);
    for (const pending of this.#pending.all()) {
      if (pending.app === app) this.#answers.end(pending, 503, 'Service Unavailable', [RETRY_AFTER]);
    }
    this.#uac.gone(app);
    for (const dialog of this.#context.dialogs.ownedBy(app)) {
      if (dialog.confirmed) this.#uac.bye(dialog, 'application lost');
    }
  }

  /** Responses go to their transaction; others are stray (RFC 3261 §18.1.2). */
  #response(response: SipResponse, flow: Flow): void {
    const envelope = validateResponse(response) === null ? envelopeOf(response) : undefined;
    const transaction = envelope && this.#context.transactions.findClient(envelope);
    if (envelope === undefined || transaction === undefined) {
      this.stats.dropped += 1;
      return;
    }
    this.#context.peerLoads.learn(flow.remote, envelope.via);
    transaction.receive(response);
  }
}
