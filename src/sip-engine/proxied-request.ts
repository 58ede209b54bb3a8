import { type Best, bestResponse, type Outcome } from './best-response.ts';
import type { EngineContext } from './context.ts';
import { type HeaderField, type SipResponse, serializeMessage } from './message.ts';
import type { Incoming } from './pending-requests.ts';
import { type Patience, ProxyBranch, type Target } from './proxy-branch.ts';
import { forwardedResponse } from './proxy-request.ts';
import { replyFlow } from './response-routing.ts';
import type { ServerTransaction } from './transactions.ts';
import type { Flow } from './transport.ts';
import { plainResponse } from './write-response.ts';

/** A request that goes on, with its server transaction and our tag for answers of our own. */
export interface Upstream extends Incoming {
  readonly transaction: ServerTransaction;
  readonly toTag: string;
}

/** How a request is proxied, and who wants to know. */
export interface ProxiedParts {
  readonly context: EngineContext;
  readonly upstream: Upstream;
  readonly simultaneous: boolean;
  readonly patience: Patience;
  /** Targets to try in place of one that answered 3xx; none: the 3xx is its answer. */
  redirected(response: SipResponse): readonly Target[];
  /** A response that came, from 101 on, before it is sent on. */
  heard(response: SipResponse, flow: Flow): void;
  /** Once: the caller has a final response. */
  settled(status: number): void;
  /** Once: nothing is to be waited for any more. */
  closed(): void;
}

/** The other phones of a fork need not show a missed call (RFC 3326 §3.1). */
const ELSEWHERE: HeaderField = { name: 'Reason', value: 'SIP;cause=200;text="Call completed elsewhere"' };

const reasons = {
  408: 'Request Timeout',
  487: 'Request Terminated',
  500: 'Server Internal Error',
  503: 'Service Unavailable',
  504: 'Server Time-out',
} as const;

/** The response context of a stateful proxy (RFC 3261 §16.2, §16.7): one request, its targets, and the answer to it. */
export class ProxiedRequest {
  readonly #parts: ProxiedParts;
  readonly #branches: ProxyBranch[] = [];
  readonly #outcomes: Outcome[] = [];
  readonly #over: () => void;
  #targets: Target[];
  /** Targets whose outcome is still to come. */
  #running = 0;
  #open = 0;
  #searching = true;
  #settled = false;
  #canceled = false;
  #closed = false;

  /** @param over called once, when nothing is to be waited for any more */
  constructor(parts: ProxiedParts, targets: readonly Target[], over: () => void) {
    this.#parts = parts;
    this.#targets = [...targets];
    this.#over = over;
  }

  start(): void {
    this.#next();
  }

  /** The caller does not want it any more (RFC 3261 §16.10). @returns false when that is known, or too late */
  cancel(headers: readonly HeaderField[]): boolean {
    if (this.#canceled || this.#settled) return false;
    this.#canceled = true;
    this.#stop(headers);
    this.#next();
    return true;
  }

  /** It is answered at once, and its targets are cancelled. */
  abort(status: keyof typeof reasons, headers: readonly HeaderField[]): void {
    if (!this.#settled) this.#respond(status, headers);
    this.#stop([]);
    this.#next();
  }

  /** Stops all timers; nobody is told. */
  close(): void {
    for (const branch of this.#branches) branch.close();
  }

  #next(): void {
    while (this.#searching && (this.#parts.simultaneous || this.#running === 0)) {
      const target = this.#targets.shift();
      if (target === undefined) break;
      this.#start(target);
    }
    if (this.#running === 0 && !this.#settled) this.#finish();
    if (this.#open === 0 && this.#settled) this.#close();
  }

  #start(target: Target): void {
    const { context, patience } = this.#parts;
    const branch: ProxyBranch = new ProxyBranch(context, target, patience, {
      response: (response, flow) => this.#receive(response, flow, branch),
      ended: (outcome) => this.#end(outcome),
      closed: () => {
        this.#open -= 1;
        this.#next();
      },
    });
    this.#branches.push(branch);
    this.#running += 1;
    this.#open += 1;
    branch.start();
  }

  #receive(response: SipResponse, flow: Flow, branch: ProxyBranch): void {
    this.#parts.heard(response, flow);
    const { status } = response;
    if (status < 200) this.#forward(response);
    if (status >= 200 && status < 300) this.#succeed(response, branch);
  }

  /** Every 2xx to an INVITE goes back, whatever went before (RFC 3261 §16.7, step 5); the first ends the search. */
  #succeed(response: SipResponse, branch: ProxyBranch): void {
    const { transaction, request, path, flow } = this.#parts.upstream;
    if (!this.#settled || transaction.state === 'accepted') this.#forward(response);
    else if (request.method === 'INVITE') {
      const bytes = serializeMessage(forwardedResponse(response, request));
      replyFlow(path, flow, this.#parts.context.flowTo).send(bytes);
    }
    this.#stop([ELSEWHERE], branch);
  }

  #end(outcome: Outcome): void {
    this.#running -= 1;
    const status = typeof outcome === 'number' ? outcome : outcome.status;
    const redirects =
      this.#searching && typeof outcome === 'object' && status < 400 ? this.#parts.redirected(outcome) : [];
    this.#targets.unshift(...redirects);
    if (redirects.length === 0) this.#outcomes.push(outcome);
    // Whoever says no for everybody is believed (RFC 3261 §16.7, step 5).
    if (status >= 600) this.#stop([]);
    this.#next();
  }

  /** No further target is tried, and those that were are cancelled. */
  #stop(headers: readonly HeaderField[], but?: ProxyBranch): void {
    this.#searching = false;
    this.#targets = [];
    for (const branch of this.#branches) if (branch !== but) branch.cancel(headers);
  }

  /** All targets have had their say, and none has accepted. */
  #finish(): void {
    const best: Best | 487 = this.#canceled ? this.#terminated() : bestResponse(this.#outcomes);
    if (typeof best === 'object') this.#forward(best);
    // RFC 4320 §4.2: nobody waits for the 408 to another request.
    else if (best === 408 && this.#parts.upstream.request.method !== 'INVITE') this.#respond(504, []);
    else this.#respond(best, []);
  }

  /** The answer to an INVITE that its caller cancelled: that of a target, if there is one. */
  #terminated(): SipResponse | 487 {
    const isTerminated = (outcome: Outcome): outcome is SipResponse =>
      typeof outcome === 'object' && outcome.status === 487;
    return this.#outcomes.find(isTerminated) ?? 487;
  }

  #forward(response: SipResponse): void {
    this.#send(forwardedResponse(response, this.#parts.upstream.request));
  }

  #respond(status: keyof typeof reasons, headers: readonly HeaderField[]): void {
    const response = plainResponse(this.#parts.upstream, status, reasons[status]);
    response.headers.push(...headers);
    this.#send(response);
  }

  #send(response: SipResponse): void {
    const { upstream } = this.#parts;
    const first = response.status >= 200 && !this.#settled;
    if (first) this.#settled = true;
    upstream.transaction.respond(response.status, serializeMessage(response));
    if (first) this.#parts.settled(response.status);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#over();
  }
}
