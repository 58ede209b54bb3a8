import type { AppLink } from './app-link.ts';
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
  readonly #stats: EngineStats;

  constructor(stats: EngineStats) {
    this.#stats = stats;
  }

  add(pending: Pending): void {
    this.#byId.set(pending.transaction.id, pending);
    if (!pending.inDialog) this.#byOrigin.set(origin(pending.envelope), pending);
    if (pending.request.method === 'INVITE') this.#countInvite(pending.flow.remote.address, 1);
  }

  get(transactionId: string): Pending | undefined {
    return this.#byId.get(transactionId);
  }

  delete(pending: Pending): void {
    if (!this.#byId.delete(pending.transaction.id)) return;
    pending.patience.cancel();
    if (!pending.inDialog) this.#byOrigin.delete(origin(pending.envelope));
    if (pending.request.method === 'INVITE') this.#countInvite(pending.flow.remote.address, -1);
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

  #countInvite(source: string, by: 1 | -1): void {
    const now = this.invitesOf(source) + by;
    if (now === 0) this.#invitesBySource.delete(source);
    else this.#invitesBySource.set(source, now);
    this.#stats.pendingInvites += by;
  }
}

function origin({ method, callId, fromTag, cseq }: Envelope): string {
  return method === 'INVITE' ? `INVITE ${callId}` : `${method} ${callId} ${fromTag} ${cseq}`;
}
