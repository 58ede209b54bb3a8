import type { EngineContext } from './context.ts';
import type { HeaderField, SipResponse } from './message.ts';
import type { Pending } from './pending-requests.ts';
import type { ProxiedDialog, ProxiedDialogs } from './proxied-dialogs.ts';
import type { ProxiedParts } from './proxied-request.ts';
import type { Target } from './proxy-branch.ts';
import type { ProxyOrder } from './proxy-order.ts';
import { redirectTargets } from './proxy-redirects.ts';
import { forwardedRequest, isOurs, recordRoutes, remainingRoutes } from './proxy-request.ts';
import { ResolveError } from './resolve.ts';
import { isSips } from './sips.ts';
import type { Flow } from './transport.ts';
import { targetOf, waysTo } from './ways.ts';

/** Tells the application what becomes of its order (protocol page §7). */
export interface ProxyReport {
  response(message: SipResponse, flow: Flow): void;
  done(): void;
  refused(why: string): void;
}

/** Redirects that one request follows. */
const MOST_REDIRECTS = 5;

const beginsDialog: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE']);

export interface OrderParts {
  readonly context: EngineContext;
  readonly upstream: Pending;
  readonly order: ProxyOrder;
  /** Headers of the application for the request. */
  readonly headers: readonly HeaderField[];
  readonly report: ProxyReport;
  readonly dialogs: ProxiedDialogs;
  /** The caller has its answer. */
  answered(): void;
}

/** A request that an application has ordered to be proxied: where it goes, and who hears of the answers. */
export class OrderedRequest implements ProxiedParts {
  readonly context: EngineContext;
  readonly upstream: Pending;
  readonly simultaneous: boolean;
  readonly patience: ProxyOrder;
  readonly #parts: OrderParts;
  readonly #tried: Set<string>;
  readonly #early = new Set<ProxiedDialog>();
  readonly #routes: readonly string[];
  #redirectsLeft = MOST_REDIRECTS;
  #done = false;

  constructor(parts: OrderParts) {
    const { context, upstream, order } = parts;
    this.context = context;
    this.upstream = upstream;
    this.simultaneous = order.simultaneous;
    this.patience = order;
    this.#parts = parts;
    this.#routes = remainingRoutes(context, upstream.request);
    this.#tried = new Set(order.destinations);
    if (!order.fullResponse) this.#tellDone();
  }

  /**
   * The destinations, as drachtio has them: a request whose URI names us gets the destination's URI; one that is for
   * somebody else, or has a telephone number, keeps its own on the way there.
   */
  get targets(): Target[] {
    const { uri } = this.upstream.request;
    const forUs = isOurs(this.context, uri);
    return this.#parts.order.destinations.map((destination) =>
      this.#targetOf(destination, forUs ? destination : uri),
    );
  }

  redirected(response: SipResponse): readonly Target[] {
    if (!this.#parts.order.followRedirects) return [];
    const secure = isSips(this.upstream.request.uri);
    const uris = redirectTargets(response, this.#tried, secure).slice(0, this.#redirectsLeft);
    this.#redirectsLeft -= uris.length;
    for (const uri of uris) this.#tried.add(uri);
    return uris.map((uri) => this.#targetOf(uri, uri));
  }

  heard(response: SipResponse, flow: Flow): void {
    const { order, dialogs, report } = this.#parts;
    const { status } = response;
    if (order.remainInDialog && status < 300 && beginsDialog.has(this.upstream.request.method)) {
      const dialog = dialogs.learn(this.upstream, response, flow);
      if (dialog !== undefined) this.#early.add(dialog);
    }
    if (status >= 200 && !this.#done) report.response(response, flow);
  }

  settled(): void {
    this.#parts.answered();
    this.#tellDone();
  }

  closed(): void {
    for (const dialog of this.#early) if (!dialog.confirmed) this.#parts.dialogs.remove(dialog);
    this.#early.clear();
  }

  #tellDone(): void {
    if (this.#done) return;
    this.#done = true;
    this.#parts.report.done();
  }

  #targetOf(destination: string, uri: string): Target {
    const { context, upstream, order, headers } = this.#parts;
    const { request, flow: incoming } = upstream;
    return {
      ways: () => {
        const target = targetOf(destination);
        if (target === undefined) throw new ResolveError(`not a destination: ${destination}`);
        return waysTo(context, target, incoming);
      },
      build: (flow, branch) => {
        const recorded = order.remainInDialog ? recordRoutes(request, incoming, flow) : [];
        return forwardedRequest(
          request,
          { uri, routes: this.#routes, recordRoutes: recorded, headers },
          flow,
          branch,
        );
      },
    };
  }
}
