import type { Dialer, OutboundCall } from '../bridge/dialer.ts';
import type { Leg } from '../bridge/leg.ts';
import { Refusal } from '../errors.ts';
import { writeDown } from '../telemetry/refusal-book.ts';
import { refuse } from './answers.ts';
import { placeCall } from './dial.ts';
import { EngineLost } from './drachtio-connection.ts';
import { EngineLink, type EngineSource } from './engine-link.ts';
import { EngineListener, type ListenerOptions } from './engine-listener.ts';
import { answerPrack, handleInvite } from './invite.ts';
import { answerOptions } from './options.ts';
import { handleRegister } from './register.ts';
import type { SipContext } from './sip-context.ts';
import type { RequestHandler, SipHandlers, SipRequest, SipResponse, SrfConnection } from './srf-port.ts';

/** Methods that are refused wherever they come; each is routed, for an engine answers 503 to what nobody routes. */
const refusedMethods = ['info', 'message', 'notify', 'publish', 'refer', 'subscribe'] as const;

export interface SipApplicationOptions extends Omit<SipContext, 'srf'> {
  /** The engines that we connect to: the embedded one, or drachtio-servers. */
  engines: readonly EngineSource[];
  /** Where drachtio-servers connect to us. */
  listeners: readonly ListenerOptions[];
}

/** How long a stop waits for set-ups to get their final answer. */
const SETTLE_MS = 1000;

/** Takes calls through SIP engines, and places them; what one of them carries ends when its link is lost. */
export class SipApplication implements Dialer {
  readonly #options: SipApplicationOptions;
  readonly #links: readonly EngineLink[];
  readonly #listeners: readonly EngineListener[];
  /** Of the links: who places the next call. */
  #turn = 0;

  constructor(options: SipApplicationOptions) {
    this.#options = options;
    const { log, metrics, engines, listeners } = options;
    const handlers = (connection: SrfConnection) => handlersOf({ ...options, srf: () => connection });
    const onLost = () => this.#countLinks();
    const onUp = () => {
      metrics.engine_connects_total.inc();
      this.#countLinks();
    };
    this.#links = engines.map((source) => new EngineLink(source, { handlers, log, onUp, onLost }));
    this.#listeners = listeners.map((listener) => new EngineListener(listener, { handlers, log }));
  }

  /** Where the engines take SIP: `udp/127.0.0.1:5060`; empty before one is there. */
  get hostports(): readonly string[] {
    return [...new Set([...this.#links, ...this.#listeners].flatMap(({ hostports }) => hostports))];
  }

  /** Whether calls can come: some engine is connected, or may connect. */
  get isUp(): boolean {
    return this.canDial || this.#listeners.length > 0;
  }

  get canDial(): boolean {
    return this.#links.some(({ connection }) => connection !== undefined);
  }

  /** @throws Error when no engine can be had within 10 s, or an address not be listened on; nothing is left open then */
  async start(): Promise<void> {
    this.#countLinks();
    try {
      await Promise.all(this.#listeners.map((listener) => listener.start()));
      const links = this.#links.map((link) => link.start());
      // The others are tried on.
      const first = Promise.any(links).catch(({ errors }: AggregateError) => {
        throw new Error(errors.map((error: Error) => error.message).join('; '));
      });
      if (this.#listeners.length === 0) await first;
      else first.catch(() => undefined);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  place(leg: Leg, call: OutboundCall): Promise<void> {
    return placeCall({ ...this.#options, srf: () => this.#connectionToDial() }, leg, call);
  }

  /** Reads the certificates again that drachtio-servers see. @returns how many there are */
  reload(): number {
    return this.#listeners.filter((listener) => listener.reload()).length;
  }

  /** Resolves when every set-up that was running has its final answer, or after a while. */
  async settled(): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, SETTLE_MS);
    const links = this.#links.map(({ connection }) => connection?.settled());
    const listeners = this.#listeners.map((listener) => listener.settled());
    await Promise.race([over, Promise.all([...links, ...listeners])]);
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links, ...this.#listeners].map((part) => part.close()));
  }

  /** Engines that are up take turns. @throws EngineLost when there is none */
  #connectionToDial(): SrfConnection {
    const up = this.#links.map(({ connection }) => connection).filter((one) => one !== undefined);
    this.#turn += 1;
    const connection = up[this.#turn % up.length];
    if (connection === undefined) throw new EngineLost('there is no link to a SIP engine');
    return connection;
  }

  #countLinks(): void {
    const up = this.#links.filter(({ connection }) => connection !== undefined).length;
    const { engine_links: links } = this.#options.metrics;
    links.set({ state: 'up' }, up);
    links.set({ state: 'down' }, this.#links.length - up);
  }
}

function handlersOf(context: SipContext): SipHandlers {
  const refuseMethod = (request: SipRequest, response: SipResponse) =>
    refuse(context, request, response, new Refusal('method_not_allowed'));
  const refused = refusedMethods.map((method) => [
    method,
    async (...args: Parameters<RequestHandler>) => refuseMethod(...args),
  ]);
  return {
    ...Object.fromEntries(refused),
    invite: (request, response) => handleInvite(context, request, response),
    register: (request, response) => handleRegister(context, request, response),
    options: async (request, response) => answerOptions(context, request, response),
    prack: async (request, response) => answerPrack(context, request, response),
    update: async (request, response) => refuse(context, request, response, new Refusal('no_dialog')),
    refusedInDialog: refuseMethod,
    refusedUnread: (refusal) => writeDown(context, refusal),
  };
}
