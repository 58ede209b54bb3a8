import type { Answers } from './answers.ts';
import type { AppLink } from './app-link.ts';
import { passedOn } from './app-message.ts';
import type { EngineContext } from './context.ts';
import type { Envelope } from './envelope.ts';
import { type HeaderField, headersOf, type SipRequest } from './message.ts';
import { OrderedRequest, type ProxyReport } from './ordered-request.ts';
import { countOverload } from './overload-counts.ts';
import type { Incoming, PendingRequests } from './pending-requests.ts';
import { ProxiedDialogs } from './proxied-dialogs.ts';
import { ProxiedRequests } from './proxied-requests.ts';
import { ProxyInDialog } from './proxy-in-dialog.ts';
import type { ProxyOrder } from './proxy-order.ts';
import { hopsLeft } from './proxy-request.ts';
import type { Refusals } from './refusals.ts';
import { isSips } from './sips.ts';
import type { Flow } from './transport.ts';
import { RETRY_AFTER } from './write-response.ts';

/** The engine as a stateful proxy (RFC 3261 §16): requests that an application orders to go on, and the dialogs they begin. */
export class ProxyServer {
  readonly #context: EngineContext;
  readonly #pending: PendingRequests;
  readonly #answers: Answers;
  readonly #dialogs: ProxiedDialogs;
  readonly #requests: ProxiedRequests;
  readonly #inDialog: ProxyInDialog;

  constructor(context: EngineContext, pending: PendingRequests, answers: Answers, refusals: Refusals) {
    this.#context = context;
    this.#pending = pending;
    this.#answers = answers;
    this.#dialogs = new ProxiedDialogs(context);
    this.#requests = new ProxiedRequests(context.stats);
    this.#inDialog = new ProxyInDialog(context, this.#dialogs, this.#requests, refusals);
  }

  /**
   * The application wants a request that it was given to go on, with `headers` of its own.
   * A request that cannot go on is answered here, and the order refused.
   */
  order(app: AppLink, order: ProxyOrder, headers: readonly HeaderField[], report: ProxyReport): void {
    const { transactionId } = order;
    const pending = this.#pending.get(transactionId);
    // What was answered, even provisionally, has an end here.
    if (pending?.app !== app || pending.dialog !== undefined || pending.proxied) {
      report.refused(`Unknown transaction id: ${transactionId}`);
      return;
    }
    if (isSips(pending.request.uri) && !order.destinations.every(isSips)) {
      report.refused('a sips request goes to sips destinations only');
      return;
    }
    const refusal = this.#refusalOf(pending.request, order);
    if (refusal !== undefined) {
      const { status, reason, extra = [] } = refusal;
      this.#answers.end(pending, status, reason, extra);
      report.refused(`Rejected with ${status} ${reason}`);
      return;
    }
    pending.patience.cancel();
    pending.proxied = true;
    this.#pending.decide(pending);
    const ordered = new OrderedRequest({
      context: this.#context,
      upstream: pending,
      order,
      headers: passedOn(headers),
      report,
      dialogs: this.#dialogs,
      answered: () => this.#pending.delete(pending),
    });
    this.#requests.start(ordered, ordered.targets, app);
  }

  /** A request inside a dialog. @returns false for one that no proxied dialog has */
  forward(incoming: Incoming): boolean {
    return this.#inDialog.forward(incoming);
  }

  /** An ACK that no transaction has taken. @returns false for one that no proxied dialog has */
  acknowledge(incoming: Incoming): boolean {
    return this.#inDialog.acknowledge(incoming);
  }

  /** Does a request belong to a proxied dialog? */
  hasDialog(envelope: Envelope): boolean {
    return this.#dialogs.find(envelope) !== undefined;
  }

  /** The caller of the INVITE with that transaction has cancelled. @returns whether that is news to a proxied one */
  cancel(transactionId: string, cancel: SipRequest): boolean {
    const reason = cancel.headers.filter(({ name }) => name === 'Reason');
    return this.#requests.cancel(transactionId, reason);
  }

  gone(app: AppLink): void {
    this.#requests.abortOf(app);
  }

  hasSource(address: string): boolean {
    return this.#dialogs.hasSource(address);
  }

  usesFlow(flow: Flow): boolean {
    return this.#dialogs.usesFlow(flow);
  }

  close(): void {
    this.#requests.close();
    this.#dialogs.close();
  }

  /** Why a request cannot go on (RFC 3261 §16.3), if it cannot. */
  #refusalOf(
    request: SipRequest,
    { remainInDialog }: ProxyOrder,
  ): { status: number; reason: string; extra?: HeaderField[] } | undefined {
    if (hopsLeft(request) === 0) return { status: 483, reason: 'Too Many Hops' };
    const wanted = headersOf(request, 'Proxy-Require').join(', ');
    if (wanted !== '') {
      return { status: 420, reason: 'Bad Extension', extra: [{ name: 'Unsupported', value: wanted }] };
    }
    const { maxPendingInvites } = this.#context.limits;
    if (this.#requests.size < maxPendingInvites && !(remainInDialog && this.#dialogs.isFull)) {
      return undefined;
    }
    countOverload(this.#context.stats, 'full');
    return { status: 503, reason: 'Service Unavailable', extra: [RETRY_AFTER] };
  }
}
