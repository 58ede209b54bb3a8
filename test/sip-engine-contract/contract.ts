import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { type AppDialog, EngineApp, OFFER } from '../support/engine-app.ts';
import { type CallerTransport, openCaller, openTcpCallee, type SipCaller } from '../support/sip-caller.ts';
import { CallerCall } from './caller-call.ts';
import { type EngineUnderTest, enginesUnderTest, type RunningEngine } from './engines.ts';

/** One engine with a drachtio-srf application behind it, and callers in front. */
export class Contract {
  readonly engine: EngineUnderTest;
  readonly app = new EngineApp();
  #running: RunningEngine | undefined;
  readonly #callers: SipCaller[] = [];

  constructor(engine: EngineUnderTest) {
    this.engine = engine;
  }

  /** @throws Error before the suite has begun */
  get running(): RunningEngine {
    if (this.#running === undefined) throw new Error('the engine is not running yet');
    return this.#running;
  }

  /** `host:port` where the engine takes SIP over UDP and TCP. */
  get sipAddress(): string {
    return this.sipAddressOver('UDP');
  }

  sipAddressOver(transport: CallerTransport): string {
    return `${this.running.sipHost}:${this.#portOf(transport)}`;
  }

  async start(): Promise<void> {
    this.#running = await this.engine.start();
    await this.app.connect(this.#running.admin);
  }

  async closeCallers(): Promise<void> {
    for (const caller of this.#callers.splice(0)) await caller.close();
  }

  async stop(): Promise<void> {
    this.app.disconnect();
    await this.engine.stop();
  }

  async caller(transport: CallerTransport = 'UDP'): Promise<SipCaller> {
    const { sipHost, tls } = this.running;
    const caller = await openCaller(transport, this.#portOf(transport), sipHost, tls);
    this.#callers.push(caller);
    return caller;
  }

  /** Somebody who is called over TCP. */
  async tcpCallee(): Promise<SipCaller> {
    const callee = await openTcpCallee();
    this.#callers.push(callee);
    return callee;
  }

  /** A caller that is about to call a user part of the application (see EngineApp). */
  async dial(
    user: string,
    transport: CallerTransport = 'UDP',
  ): Promise<{ caller: SipCaller; call: CallerCall }> {
    const caller = await this.caller(transport);
    return { caller, call: new CallerCall(caller, user, this.running.sipHost, this.#portOf(transport)) };
  }

  /** A call that has begun, and that the application sends on to these callees. */
  async dialThrough(
    callees: readonly SipCaller[],
    { transport = 'UDP', forking = 'sequential' }: { transport?: 'UDP' | 'TCP'; forking?: string } = {},
  ): Promise<{ caller: SipCaller; call: CallerCall }> {
    const { caller, call } = await this.dial('proxy', transport);
    const uris = callees.map(
      (callee) => `sip:${callee.address}${callee.transport === 'TCP' ? ';transport=tcp' : ''}`,
    );
    const destinations = uris.join(', ');
    call.sendWith('INVITE', [`X-Destinations: ${destinations}`, `X-Forking: ${forking}`], OFFER);
    return { caller, call };
  }

  /** A call that is up, with the application's end of it. */
  async establish(
    transport: CallerTransport = 'UDP',
  ): Promise<{ caller: SipCaller; call: CallerCall; dialog: AppDialog }> {
    const { caller, call } = await this.dial('answer', transport);
    await call.establish();
    await this.app.noticed(call.callId, 'ack');
    const { dialog } = await this.app.noticed(call.callId, 'dialog');
    return { caller, call, dialog: dialog! };
  }

  #portOf(transport: CallerTransport): number {
    const { sipPort, tlsPort } = this.running;
    return transport === 'TLS' ? tlsPort! : sipPort;
  }
}

/**
 * What an application of drachtio-srf may rely on, whatever carries its calls: declares the tests once for every engine.
 * What is not the same for all of them stands in `differences.test.ts`.
 */
export function contract(theme: string, tests: (contract: Contract) => void): void {
  describe.each(enginesUnderTest())(`${theme}, $name with drachtio-srf`, (engine) => {
    const suite = new Contract(engine);
    beforeAll(() => suite.start());
    afterEach(() => suite.closeCallers());
    afterAll(() => suite.stop());
    tests(suite);
  });
}
