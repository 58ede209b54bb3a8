import { Refusal } from '../errors.ts';
import { refuse } from './answers.ts';
import { handleInvite } from './invite.ts';
import { answerOptions } from './options.ts';
import { handleRegister } from './register.ts';
import type { SipContext } from './sip-context.ts';
import {
  connectSrf,
  type SipMethod,
  type SipRequest,
  type SipResponse,
  type SrfConnection,
} from './srf-port.ts';

/** Methods that are refused wherever they come; each is routed, for an engine answers 503 to what nobody routes. */
const refusedMethods = [
  'info',
  'message',
  'notify',
  'prack',
  'publish',
  'refer',
  'subscribe',
  'update',
] as const;

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

/** Takes calls through a SIP engine, and through a new one when that dies. */
export class SipApplication {
  readonly #options: SipApplicationOptions;
  readonly #context: SipContext;
  #engine: EnginePort | undefined;
  #connection: SrfConnection | undefined;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SipApplicationOptions) {
    this.#options = options;
    this.#context = { ...options, srf: () => this.#connection as SrfConnection };
  }

  /** Where the engine listens: `udp/127.0.0.1:5060`; empty before `start`. */
  get hostports(): readonly string[] {
    return this.#connection?.hostports ?? [];
  }

  /** Whether the engine is there and connected. */
  get isUp(): boolean {
    return this.#connection?.isUp ?? false;
  }

  /** @throws Error when the engine cannot start or does not answer within 10 s */
  async start(): Promise<void> {
    const engine = await this.#options.openEngine();
    this.#engine = engine;
    engine.onExit((error) => this.#engineExited(engine, error));
    this.#connection = await connectSrf({
      ...engine,
      log: this.#options.log,
      handlers: this.#handlers(),
      onLost: () => this.#lost(),
      onBack: () => this.#options.log.info('the link to the SIP engine is back'),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    this.#connection?.close();
    await this.#engine?.close();
  }

  #handlers(): Partial<Record<SipMethod, (request: SipRequest, response: SipResponse) => Promise<void>>> {
    const context = this.#context;
    const refuseMethod = async (request: SipRequest, response: SipResponse) =>
      refuse(context, request, response, new Refusal('method_not_allowed'));
    return {
      invite: (request, response) => handleInvite(context, request, response),
      register: (request, response) => handleRegister(context, request, response),
      options: async (_request, response) => answerOptions(response, context.admission.unavailable()),
      ...Object.fromEntries(refusedMethods.map((method) => [method, refuseMethod])),
    };
  }

  #lost(): void {
    if (this.#closed) return;
    this.#options.log.error('the link to the SIP engine was lost; its calls end');
    this.#options.onEngineLost();
  }

  #engineExited(engine: EnginePort, error: Error | null): void {
    if (this.#closed || engine !== this.#engine) return;
    this.#options.log.error({ err: error }, 'the SIP engine died; it is started again');
    this.#engine = undefined;
    this.#connection?.close();
    this.#options.onEngineLost();
    this.#startAgain();
  }

  #startAgain(): void {
    this.#restart = setTimeout(() => {
      this.start().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the SIP engine could not be started again');
        if (!this.#closed) this.#startAgain();
      });
    }, RESTART_MS);
  }
}
