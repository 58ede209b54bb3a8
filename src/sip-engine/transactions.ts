import { randomUUID } from 'node:crypto';
import { count } from './counts.ts';
import { clientKey, type Envelope, serverKey } from './envelope.ts';
import { type SipRequest, type SipResponse, serializeMessage } from './message.ts';
import { StateMachine } from './state-machine.ts';
import type { EngineStats } from './stats.ts';
import type { EngineClock } from './timers.ts';
import { clientStart, clientTable } from './transaction-client.ts';
import { type InviteClientEvent, inviteClientStart, inviteClientTable } from './transaction-client-invite.ts';
import { serverTable } from './transaction-server.ts';
import { inviteServerTable } from './transaction-server-invite.ts';
import type { Flow } from './transport.ts';
import { ackForFailure } from './write-request.ts';

type ResponseEvent = 'provisional' | 'success' | 'failure';
const responseEvent = (status: number): ResponseEvent =>
  status < 200 ? 'provisional' : status < 300 ? 'success' : 'failure';
/** What an INVITE of ours makes of an answer. */
const inviteEvent = (status: number): InviteClientEvent =>
  status === 100 ? 'trying' : responseEvent(status);

/** An incoming request and its answer. Once answered it holds no more than the bytes to send again. */
export interface ServerTransaction {
  /** The handle that the application has. */
  readonly id: string;
  readonly source: string;
  readonly state: string;
  /** A retransmission of the request, or an ACK. */
  receive(message: SipRequest): void;
  respond(status: number, bytes: Buffer): void;
}

/** An outgoing request. */
export interface ClientTransaction {
  receive(response: SipResponse): void;
  /** Ends it at once; its user hears nothing more. */
  abandon(): void;
}

/** Whoever sent a request. `failed`: 408 when nothing came in time, 503 when it could not be sent, and why. */
export interface ClientUser {
  response(response: SipResponse): void;
  failed(status: 408 | 503, why?: string): void;
}

export interface TransactionLimits {
  maxTransactions: number;
  maxTransactionsPerSource: number;
}

/** All transactions, by their keys (RFC 3261 §17). */
export class Transactions {
  readonly #clock: EngineClock;
  readonly #stats: EngineStats;
  readonly #limits: TransactionLimits;
  readonly #isExempt: (source: string) => boolean;
  readonly #servers = new Map<string, ServerTransaction & { abandon(): void }>();
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #bySource = new Map<string, number>();
  /** How many requests of ours are on their way to an address. */
  readonly #byPeer = new Map<string, number>();

  /** @param isExempt to whom the cap of one source does not apply */
  constructor(
    clock: EngineClock,
    stats: EngineStats,
    limits: TransactionLimits,
    isExempt: (source: string) => boolean,
  ) {
    this.#clock = clock;
    this.#stats = stats;
    this.#limits = limits;
    this.#isExempt = isExempt;
  }

  findServer(envelope: Envelope, uri: string, method: string): ServerTransaction | undefined {
    return this.#servers.get(serverKey(envelope, uri, method));
  }

  findClient(envelope: Envelope): ClientTransaction | undefined {
    return this.#clients.get(clientKey(envelope.branch, envelope.method));
  }

  /** Is anything open with this address? */
  hasPeer(address: string): boolean {
    return this.#bySource.has(address) || this.#byPeer.has(address);
  }

  /** Is there room for one more request of this source? */
  admits(source: string): boolean {
    if (this.#servers.size >= this.#limits.maxTransactions) return false;
    const held = this.#bySource.get(source) ?? 0;
    return held < this.#limits.maxTransactionsPerSource || this.#isExempt(source);
  }

  /**
   * @param reply the flow that answers take, asked for at every sending
   * @param acked called with an ACK that the transaction does not absorb
   */
  createServer(
    request: SipRequest,
    envelope: Envelope,
    flow: Flow,
    reply: () => Flow,
    acked: (ack: SipRequest) => void,
  ): ServerTransaction {
    const key = serverKey(envelope, request.uri, request.method);
    const source = flow.remote.address;
    // A string, because it is kept for 32 s: a Buffer would hold the whole piece of memory that it was cut from.
    let text: string | undefined;
    const failed = () => feed(machine, 'transport-error');
    const effects = {
      send: () => {
        if (text !== undefined) reply().send(Buffer.from(text, 'latin1'), failed);
      },
      pass: (message: SipRequest | undefined) => {
        if (message !== undefined) acked(message);
      },
      timeout: () => {
        this.#stats.acksMissing += 1;
      },
      unsent: () => {
        this.#stats.answersUnsent += 1;
      },
      ended: () => this.#forgetServer(key, source),
    };
    const machine =
      request.method === 'INVITE'
        ? new StateMachine(inviteServerTable, 'proceeding', flow.reliable, this.#clock, effects)
        : new StateMachine(serverTable, 'trying', flow.reliable, this.#clock, effects);
    const transaction = {
      id: randomUUID(),
      source,
      get state() {
        return machine.state;
      },
      receive: (message: SipRequest) => feed(machine, message.method === 'ACK' ? 'ack' : 'request', message),
      respond: (status: number, response: Buffer) => {
        text = response.toString('latin1');
        feed(machine, responseEvent(status));
      },
      abandon: () => machine.abandon(),
    };
    this.#servers.set(key, transaction);
    count(this.#bySource, source, 1);
    this.#stats.serverTransactions = this.#servers.size;
    return transaction;
  }

  /** Sends a request, whose topmost Via carries `branch`, and tells `user` what comes back. */
  createClient(request: SipRequest, branch: string, flow: Flow, user: ClientUser): ClientTransaction {
    const key = clientKey(branch, request.method);
    const peer = flow.remote.address;
    const bytes = serializeMessage(request);
    const invite = request.method === 'INVITE';
    const eventOf = invite ? inviteEvent : responseEvent;
    let why: string | undefined;
    const failed = (error: Error) => {
      why = error.message;
      feed(machine, 'transport-error');
    };
    // Without any answer nobody knows of the request; after one, the next may come by another connection (RFC 3261 §18.2.2).
    const unwatch = flow.watch?.(failed);
    const effects = {
      send: () => flow.send(bytes, failed),
      ack: (response: SipResponse | undefined) => {
        if (response !== undefined) flow.send(serializeMessage(ackForFailure(request, response)), failed);
      },
      pass: (response: SipResponse | undefined) =>
        response === undefined ? user.failed(503, why) : user.response(response),
      timeout: () => user.failed(408),
      ended: () => {
        unwatch?.();
        if (this.#clients.delete(key)) count(this.#byPeer, peer, -1);
        this.#stats.clientTransactions = this.#clients.size;
      },
    };
    const machine = invite
      ? new StateMachine(inviteClientTable, 'calling', flow.reliable, this.#clock, effects)
      : new StateMachine(clientTable, 'trying', flow.reliable, this.#clock, effects);
    const transaction = {
      receive: (response: SipResponse) => {
        unwatch?.();
        feed(machine, eventOf(response.status), response);
      },
      abandon: () => {
        machine.abandon();
        effects.ended();
      },
    };
    this.#clients.set(key, transaction);
    count(this.#byPeer, peer, 1);
    this.#stats.clientTransactions = this.#clients.size;
    machine.begin(invite ? inviteClientStart : clientStart);
    return transaction;
  }

  /** Stops all timers; nobody is told. */
  close(): void {
    for (const transaction of this.#servers.values()) transaction.abandon();
    for (const transaction of this.#clients.values()) transaction.abandon();
    this.#servers.clear();
    this.#clients.clear();
    this.#bySource.clear();
    this.#byPeer.clear();
  }

  #forgetServer(key: string, source: string): void {
    this.#servers.delete(key);
    count(this.#bySource, source, -1);
    this.#stats.serverTransactions = this.#servers.size;
  }
}

/** The tables share no event type; each ignores what it does not know. */
function feed(
  machine: { handle(event: never, message?: never): void },
  event: string,
  message?: unknown,
): void {
  machine.handle(event as never, message as never);
}
