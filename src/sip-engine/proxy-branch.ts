import type { Outcome } from './best-response.ts';
import type { EngineContext } from './context.ts';
import { HopWalk, type Way } from './hop-walk.ts';
import type { HeaderField, SipRequest, SipResponse } from './message.ts';
import { CANCELED_MS, TIMER_C_MS, type Timer } from './timers.ts';
import type { Flow } from './transport.ts';
import type { Ways } from './ways.ts';

/** One target of a proxied request: how to get there, and the request as it goes there. */
export interface Target {
  /** @throws ResolveError, or rejects with it */
  ways(): Ways;
  build(flow: Flow, branch: string): SipRequest;
}

/** ms that a target has; undefined: as long as SIP allows. */
export interface Patience {
  /** Until its first response. */
  readonly provisionalMs?: number | undefined;
  /** Until its final one. */
  readonly finalMs?: number | undefined;
}

/** Who sends a request to several targets. */
export interface BranchUser {
  /** Every response from 101 on: of a final failure one, of a 2xx to an INVITE all repetitions. */
  response(response: SipResponse, flow: Flow): void;
  /** Once: the target has answered, or has had its time. A 2xx can still come. */
  ended(outcome: Outcome): void;
  /** Once: it has no timer any more and will bring nothing but repeated 2xx. */
  closed(): void;
}

/** The two of the application, timer C, and the one after a CANCEL. */
type Deadline = 'provisional' | 'final' | 'C' | 'canceled';

/** A request on its way to one target (RFC 3261 §16.6 to §16.10). */
export class ProxyBranch {
  readonly #context: EngineContext;
  readonly #target: Target;
  readonly #patience: Patience;
  readonly #user: BranchUser;
  #walk: HopWalk | undefined;
  #cancel: 'no' | 'wanted' | 'sent' = 'no';
  #cancelHeaders: readonly HeaderField[] = [];
  #ended = false;
  #closed = false;
  readonly #timers = new Map<Deadline, Timer>();

  constructor(context: EngineContext, target: Target, patience: Patience, user: BranchUser) {
    this.#context = context;
    this.#target = target;
    this.#patience = patience;
    this.#user = user;
  }

  start(): void {
    const { stats, limits } = this.#context;
    const unreachable = (): void => this.#finish(503);
    if (stats.clientTransactions >= limits.maxTransactions) {
      unreachable();
      return;
    }
    let ways: Ways;
    try {
      ways = this.#target.ways();
    } catch {
      unreachable();
      return;
    }
    if (ways instanceof Promise) void ways.then((found) => this.#send(found), unreachable);
    else this.#send(ways);
  }

  /** The target is not wanted any more: it hears a CANCEL as soon as a provisional response allows it (RFC 3261 §9.1). */
  cancel(headers: readonly HeaderField[] = []): void {
    if (this.#cancel !== 'no' || this.#closed) return;
    this.#cancel = 'wanted';
    this.#cancelHeaders = headers;
    this.#stopTimers();
    if (this.#walk === undefined) this.#finish(408);
    else this.#walk.settle();
    if (this.#walk?.provisional) this.#sendCancel();
  }

  /** Stops its timers; nobody is told. */
  close(): void {
    this.#closed = true;
    this.#stopTimers();
    this.#walk?.abandon();
  }

  #send(ways: readonly Way[]): void {
    if (this.#closed) return;
    const { build } = this.#target;
    this.#walk = new HopWalk(this.#context, ways, build, {
      response: (response, flow) => this.#receive(response, flow),
      failed: (status) => this.#finish(status),
    });
    const { provisionalMs, finalMs } = this.#patience;
    this.#arm('provisional', provisionalMs);
    this.#arm('final', finalMs);
    this.#walk.start();
  }

  #receive(response: SipResponse, flow: Flow): void {
    if (response.status < 200) this.#progress(response, flow);
    else {
      this.#user.response(response, flow);
      this.#finish(response);
    }
  }

  #progress(response: SipResponse, flow: Flow): void {
    if (this.#cancel === 'wanted') this.#sendCancel();
    if (this.#cancel !== 'no') return;
    this.#stop('provisional');
    if (response.status > 100 || !this.#timers.has('C')) this.#arm('C', TIMER_C_MS);
    if (response.status > 100) this.#user.response(response, flow);
  }

  /** It has had its time: the search goes on without it. */
  #giveUp(): void {
    this.#end(408);
    this.cancel();
  }

  #sendCancel(): void {
    this.#cancel = 'sent';
    const walk = this.#walk;
    if (walk === undefined || walk.request.method !== 'INVITE') return;
    walk.sendCancel(this.#cancelHeaders);
    this.#after('canceled', CANCELED_MS, () => {
      walk.abandon();
      this.#finish(408);
    });
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#user.ended(outcome);
  }

  #finish(outcome: Outcome): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopTimers();
    this.#end(outcome);
    this.#user.closed();
  }

  #arm(name: Deadline, ms: number | undefined): void {
    if (ms !== undefined) this.#after(name, ms, () => this.#giveUp());
  }

  #after(name: Deadline, ms: number, action: () => void): void {
    this.#stop(name);
    this.#timers.set(name, this.#context.clock.after(ms, action));
  }

  #stop(name: Deadline): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  #stopTimers(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
