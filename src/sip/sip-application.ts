import type { Dialer, OutboundCall } from '../bridge/dialer.ts';
import type { Leg } from '../bridge/leg.ts';
import { Refusal } from '../errors.ts';
import { refuse } from './answers.ts';
import { placeCall } from './dial.ts';
import { EngineLink } from './engine-link.ts';
import { answerPrack, handleInvite } from './invite.ts';
import { answerOptions } from './options.ts';
import { handleRegister } from './register.ts';
import type { SipContext } from './sip-context.ts';
import type { RequestHandler, SipRequest, SipResponse } from './srf-port.ts';

/** Methods that are refused wherever they come; each is routed, for an engine answers 503 to what nobody routes. */
const refusedMethods = ['info', 'message', 'notify', 'publish', 'refer', 'subscribe', 'update'] as const;

/** A SIP engine that can be connected to: the embedded one, or a drachtio-server. */
export interface EnginePort {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** The engine has died by itself; never called for one that runs elsewhere. */
  onExit(listener: (error: Error | null) => void): void;
  close(): Promise<void>;
}

export interface SipApplicationOptions extends Omit<SipContext, 'srf'> {
  openEngine: () => Promise<EnginePort>;
  /** The engine is gone: its calls are lost. */
  onEngineLost: () => void;
}

const RESTART_MS = 1000;
/** How long a stop waits for set-ups to get their final answer. */
const SETTLE_MS = 1000;

/** Takes calls through a SIP engine, and through a new one when that dies. */
export class SipApplication implements Dialer {
  readonly #options: SipApplicationOptions;
  readonly #context: SipContext;
  readonly #running = new Set<Promise<void>>();
  #engine: EnginePort | undefined;
  #link: EngineLink | undefined;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SipApplicationOptions) {
    this.#options = options;
    this.#context = { ...options, srf: () => this.#link as EngineLink };
  }

  /** Where the engine listens: `udp/127.0.0.1:5060`; empty before it is there. */
  get hostports(): readonly string[] {
    return this.#link?.hostports ?? [];
  }

  /** Whether the engine is there and connected. */
  get isUp(): boolean {
    return this.#link?.isUp ?? false;
  }

  /** @throws Error when the engine cannot start or does not answer within 10 s; nothing of it is left then */
  async start(): Promise<void> {
    const engine = await this.#options.openEngine();
    const died = new Promise<never>((_resolve, reject) => {
      engine.onExit((error) => {
        reject(error ?? new Error('the SIP engine has ended'));
        this.#exited(engine, error);
      });
    });
    died.catch(() => undefined);
    this.#link = this.#connect(engine);
    try {
      await Promise.race([this.#link.connected, died]);
      if (this.#closed) throw new Error('closed while the SIP engine was started');
      this.#engine = engine;
    } catch (error) {
      this.#link.close();
      await engine.close();
      throw error;
    }
  }

  place(leg: Leg, call: OutboundCall): Promise<void> {
    return placeCall(this.#context, leg, call);
  }

  /** Resolves when every set-up that was running has its final answer, or after a while. */
  async settled(): Promise<void> {
    const deadline = AbortSignal.timeout(SETTLE_MS);
    const over = new Promise((resolve) => deadline.addEventListener('abort', resolve));
    while (this.#running.size > 0 && !deadline.aborted) await Promise.race([over, ...this.#running]);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    this.#link?.close();
    await this.#engine?.close();
  }

  #connect(engine: EnginePort): EngineLink {
    const context = this.#context;
    const refuseMethod = (request: SipRequest, response: SipResponse) =>
      refuse(context, request, response, new Refusal('method_not_allowed'));
    const refused = refusedMethods.map((method) => [
      method,
      async (...args: Parameters<RequestHandler>) => refuseMethod(...args),
    ]);
    return new EngineLink({
      host: engine.host,
      port: engine.port,
      secret: engine.secret,
      log: context.log,
      handlers: {
        invite: (request, response) => this.#track(handleInvite(context, request, response)),
        register: (request, response) => handleRegister(context, request, response),
        options: async (request, response) => answerOptions(context, request, response),
        prack: async (request, response) => answerPrack(context, request, response),
        update: async (request, response) => refuse(context, request, response, new Refusal('no_dialog')),
        ...Object.fromEntries(refused),
      },
      onRefusedInDialog: refuseMethod,
      onLost: () => this.#lost(),
      onBack: () => context.log.info('the link to the SIP engine is back'),
    });
  }

  #track(work: Promise<void>): Promise<void> {
    const done = work.catch(() => undefined).finally(() => this.#running.delete(done));
    this.#running.add(done);
    return work;
  }

  /** Answers that an engine owes us when it goes never come. */
  #lost(): void {
    if (this.#closed) return;
    this.#running.clear();
    this.#options.log.error('the link to the SIP engine was lost; its calls end');
    this.#options.onEngineLost();
  }

  #exited(engine: EnginePort, error: Error | null): void {
    if (this.#closed || engine !== this.#engine) return;
    this.#options.log.error({ err: error }, 'the SIP engine died; it is started again');
    this.#engine = undefined;
    this.#link?.close();
    this.#lost();
    this.#startAgain();
  }

  #startAgain(): void {
    this.#restart = setTimeout(() => {
      this.start().catch((error: unknown) => {
        if (this.#closed) return;
        this.#options.log.error({ err: error }, 'the SIP engine could not be started again');
        this.#startAgain();
      });
    }, RESTART_MS);
  }
}
