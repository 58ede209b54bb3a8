import { networkOf } from '../source-network.ts';
import type { AppLink } from './app-link.ts';
import { count } from './counts.ts';
import type { Dialog } from './dialog.ts';
import type { Envelope } from './envelope.ts';
import type { SipRequest } from './message.ts';
import type { ReliableResponses } from './reliable-responses.ts';
import type { ReturnPath } from './response-routing.ts';
import type { EngineStats } from './stats.ts';
import type { Timer } from './timers.ts';
import type { ServerTransaction } from './transactions.ts';
import type { Flow } from './transport.ts';

/** A request with what was read from it. */
export interface Incoming {
  request: SipRequest;
  envelope: Envelope;
  flow: Flow;
  path: ReturnPath;
}

/** A request that waits for the application's final answer. */
export interface Pending extends Incoming {
  readonly transaction: ServerTransaction;
  readonly app: AppLink;
  /** Our tag in every answer. */
  toTag: string;
  /** The dialog that it came in, or that an answer of ours has begun. */
  dialog: Dialog | undefined;
  /** It came inside a dialog. */
  readonly inDialog: boolean;
  /** Runs out when the application keeps silent. */
  patience: Timer;
  /** The application has answered it, be it provisionally. */
  decided?: boolean;
  /** Its provisional responses that want a PRACK, once there was one. */
  reliable?: ReliableResponses;
  /** It goes on to others: the application cannot answer it any more. */
  proxied?: boolean;
}

/** All requests that the application owes an answer. */
export class PendingRequests {
  readonly #byId = new Map<string, Pending>();
  /** Requests outside a dialog, by what a merged copy has in common with them. */
  readonly #byOrigin = new Map<string, Pending>();
  readonly #invitesBySource = new Map<string, number>();
  /** Requests outside of dialogs without any answer of the application, by source. */
  readonly #undecidedBySource = new Map<string, number>();
  readonly #stats: EngineStats;

  constructor(stats: EngineStats) {
    this.#stats = stats;
  }

  add(pending: Pending): void {
    this.#byId.set(pending.transaction.id, pending);
    const { address } = pending.flow.remote;
    if (!pending.inDialog) {
      this.#byOrigin.set(origin(pending.envelope), pending);
      this.#stats.undecided += count(this.#undecidedBySource, networkOf(address), 1);
    }
    if (pending.request.method === 'INVITE') {
      this.#stats.pendingInvites += count(this.#invitesBySource, address, 1);
    }
  }

  get(transactionId: string): Pending | undefined {
    return this.#byId.get(transactionId);
  }

  delete(pending: Pending): void {
    if (!this.#byId.delete(pending.transaction.id)) return;
    pending.patience.cancel();
    if (!pending.inDialog) this.#byOrigin.delete(origin(pending.envelope));
    this.decide(pending);
    if (pending.request.method === 'INVITE') {
      this.#stats.pendingInvites += count(this.#invitesBySource, pending.flow.remote.address, -1);
    }
  }

  /** The application has given its first answer. */
  decide(pending: Pending): void {
    if (pending.inDialog || pending.decided) return;
    pending.decided = true;
    const source = networkOf(pending.flow.remote.address);
    this.#stats.undecided += count(this.#undecidedBySource, source, -1);
  }

  /**
   * Whether a source keeps the application busier than others may: when `most` requests wait for a first answer, those of
   * a source that are more than its equal share of them.
   */
  hasMoreThanItsShare(address: string, most: number): boolean {
    if (this.#stats.undecided < most) return false;
    const own = this.#undecidedBySource.get(networkOf(address)) ?? 0;
    return own > 0 && own >= most / this.#undecidedBySource.size;
  }

  /**
   * Has the same request come by another way (RFC 3261 §8.2.2.2)? For an INVITE the Call-ID alone decides, because
   * drachtio-srf tells pending INVITEs apart by nothing else.
   */
  hasMerged(envelope: Envelope): boolean {
    return this.#byOrigin.has(origin(envelope));
  }

  invitesOf(source: string): number {
    return this.#invitesBySource.get(source) ?? 0;
  }

  all(): Pending[] {
    return [...this.#byId.values()];
  }
}

function origin({ method, callId, fromTag, cseq }: Envelope): string {
  return method === 'INVITE' ? `INVITE ${callId}` : `${method} ${callId} ${fromTag} ${cseq}`;
}
