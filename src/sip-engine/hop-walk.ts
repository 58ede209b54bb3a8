import { asksForNew } from './arrival.ts';
import type { EngineContext } from './context.ts';
import { type HeaderField, type SipRequest, type SipResponse, serializeMessage } from './message.ts';
import type { ClientTransaction } from './transactions.ts';
import type { Flow, Hop } from './transport.ts';
import { cancelFor, newBranch } from './write-request.ts';

/** One way that a request can take: a flow that is open, or a resolved hop that is connected to when its turn comes. */
export interface Way {
  /** Absent for a flow that is open. */
  readonly hop?: Hop;
  open(): Flow;
  /** It did not carry the request. */
  failed(): void;
}

/** Who sent the request. `failed` tells what stands for a response: 408 when none came, 503 when it could not be sent, and why. */
export interface HopUser {
  response(response: SipResponse, flow: Flow): void;
  failed(status: 408 | 503, request: SipRequest, flow: Flow, why?: string): void;
}

/**
 * A request on its way along a list of hops: a hop that cannot be reached, is silent, or answers 503 gives way to the
 * next, with a branch of its own (RFC 3263 §4.3). The list holds at least one.
 */
export class HopWalk {
  readonly #context: EngineContext;
  readonly #ways: readonly Way[];
  readonly #build: (flow: Flow, branch: string) => SipRequest;
  readonly #user: HopUser;
  #at = -1;
  #flow!: Flow;
  #branch!: string;
  #request!: SipRequest;
  #transaction: ClientTransaction | undefined;
  #settled = false;
  #provisional = false;

  constructor(
    context: EngineContext,
    ways: readonly Way[],
    build: (flow: Flow, branch: string) => SipRequest,
    user: HopUser,
  ) {
    this.#context = context;
    this.#ways = ways;
    this.#build = build;
    this.#user = user;
    this.#next();
  }

  /** The request as it goes out, or went out last. */
  get request(): SipRequest {
    return this.#request;
  }

  get flow(): Flow {
    return this.#flow;
  }

  /** The hop that it is at has answered provisionally, so that a CANCEL may follow (RFC 3261 §9.1). */
  get provisional(): boolean {
    return this.#provisional;
  }

  start(): void {
    if (this.#isUnwanted()) {
      this.#context.stats.callsShed += 1;
      queueMicrotask(() => this.#shed());
      return;
    }
    const at = this.#at;
    const transaction = this.#context.transactions.createClient(this.#request, this.#branch, this.#flow, {
      response: (response) => this.#respond(response),
      failed: (status, why) => this.#fail(status, why),
    });
    // A flow that fails at once has moved us on already.
    if (at === this.#at) this.#transaction = transaction;
  }

  /** No further hop is tried: the request is not wanted any more. */
  settle(): void {
    this.#settled = true;
  }

  /** CANCELs what is on its way, by the same branch (RFC 3261 §9.1); nobody waits for the answer to that. */
  sendCancel(headers: readonly HeaderField[]): void {
    const cancel = cancelFor(this.#request, headers);
    const nobody = { response: () => {}, failed: () => {} };
    this.#context.transactions.createClient(cancel, this.#branch, this.#flow, nobody);
  }

  /** Stops waiting for an answer; nobody is told. */
  abandon(): void {
    this.#settled = true;
    this.#transaction?.abandon();
  }

  #respond(response: SipResponse): void {
    if (response.status === 503 && this.#moveOn()) return;
    if (response.status >= 200) this.#settled = true;
    else this.#provisional = true;
    this.#user.response(response, this.#flow);
  }

  #fail(status: 408 | 503, why: string | undefined): void {
    if (!this.#moveOn()) this.#user.failed(status, this.#request, this.#flow, why);
  }

  #moveOn(): boolean {
    if (this.#settled) return false;
    this.#ways[this.#at]?.failed();
    return this.#goOn();
  }

  #goOn(): boolean {
    if (!this.#next()) return false;
    this.start();
    return true;
  }

  /** The peer wants fewer new calls, and this is one that is not sent to it (RFC 7339 §5.10.1). */
  #isUnwanted(): boolean {
    const call = this.#request.method === 'INVITE' && asksForNew(this.#request);
    return call && this.#context.peerLoads.sheds(this.#flow.remote);
  }

  #shed(): void {
    if (this.#settled || !this.#goOn()) this.#user.failed(503, this.#request, this.#flow);
  }

  #next(): boolean {
    const way = this.#ways[this.#at + 1];
    if (way === undefined) return false;
    this.#at += 1;
    this.#provisional = false;
    this.#flow = way.open();
    this.#branch = newBranch();
    this.#request = this.#build(this.#flow, this.#branch);
    return true;
  }
}

/** Sends a request that nobody waits for: its answer changes nothing. */
export function sendAndForget(
  context: EngineContext,
  way: Way,
  build: (flow: Flow, branch: string) => SipRequest,
): SipRequest {
  const walk = new HopWalk(context, [way], build, { response: () => {}, failed: () => {} });
  walk.start();
  return walk.request;
}

/** Puts an ACK on a flow; it has no transaction. */
export function sendAck(flow: Flow, ack: SipRequest): Buffer {
  const bytes = serializeMessage(ack);
  flow.send(bytes);
  return bytes;
}
