import { randomUUID } from 'node:crypto';
import { type Answers, cancelEvent } from './answers.ts';
import type { AppEvent, AppLink } from './app-link.ts';
import type { EngineContext } from './context.ts';
import { type Dialog, dialogIdOf } from './dialog.ts';
import { type Envelope, envelopeOf } from './envelope.ts';
import { type SipParseError, type SipRequest, serializeMessage } from './message.ts';
import { OutOfTurn } from './out-of-turn.ts';
import { tellLoad } from './overload-control.ts';
import type { Overload } from './overload-counts.ts';
import type { Incoming, Pending, PendingRequests } from './pending-requests.ts';
import type { ProxyServer } from './proxy-server.ts';
import type { Refusals } from './refusals.ts';
import { type ReturnPath, returnPath, setCertificateHeader, stampVia } from './response-routing.ts';
import { completeInvite } from './rfc2543.ts';
import { needsTls, TLS_NEEDED } from './sips.ts';
import { defaultPort, type Flow } from './transport.ts';
import { validateRequest } from './validate.ts';
import { newTag } from './write-request.ts';
import { plainResponse, RETRY_AFTER, reasonPhrase } from './write-response.ts';

const noTimer = { cancel: () => {} };

/** Without a To tag these mean nothing (RFC 3262 §3, RFC 3311 §5.1). */
const onlyInDialogs: ReadonlySet<string> = new Set(['PRACK', 'UPDATE']);

/** Requests from the network (RFC 3261 §8.2, §9.2, §12.2.2, §13.3): absorbed, refused, or given to the application. */
export class Uas {
  readonly #context: EngineContext;
  readonly #pending: PendingRequests;
  readonly #answers: Answers;
  readonly #refusals: Refusals;
  readonly #outOfTurn: OutOfTurn;
  readonly #proxy: ProxyServer;

  constructor(
    context: EngineContext,
    pending: PendingRequests,
    answers: Answers,
    refusals: Refusals,
    proxy: ProxyServer,
  ) {
    this.#context = context;
    this.#pending = pending;
    this.#answers = answers;
    this.#refusals = refusals;
    this.#outOfTurn = new OutOfTurn(refusals, context.sessionTimers);
    this.#proxy = proxy;
  }

  receive(request: SipRequest, flow: Flow): void {
    setCertificateHeader(request, flow);
    const envelope = envelopeOf(request);
    if (this.#isUnwelcome(request, envelope, flow)) return;
    completeInvite(request, envelope);
    const rejection = validateRequest(request);
    if (rejection !== null || envelope === undefined) {
      this.#context.stats.malformed += 1;
      const { status = 400, reason = 'Bad Request', headers = [] } = rejection ?? {};
      this.#refusals.unparsed(request, flow, status, reason, [...headers]);
      return;
    }
    const { via } = envelope;
    const path = returnPath(via, flow);
    if (via.params.has('alias')) flow.acceptAlias?.(via.port ?? defaultPort(flow.transport));
    tellLoad(via, this.#context.load.lossPercent, this.#context.clock);
    stampVia(request, via, flow.remote);
    this.#dispatch({ request, envelope, flow, path });
  }

  /** What came is no message; a request of which enough could be read is answered. */
  unreadable(error: SipParseError, flow: Flow): void {
    this.#context.stats.malformed += 1;
    if (this.#context.bans.has(flow.remote.address)) this.#context.stats.dropsBanned += 1;
    else if (error.partial === undefined) this.#context.stats.dropped += 1;
    else this.#refusals.unparsed(error.partial, flow, error.status, reasonPhrase(error.message), []);
  }

  /** A banned source is met with silence, except in its calls and transactions. */
  #isUnwelcome(request: SipRequest, envelope: Envelope | undefined, flow: Flow): boolean {
    if (!this.#context.bans.has(flow.remote.address)) return false;
    if (envelope !== undefined) {
      const method = request.method === 'CANCEL' ? 'INVITE' : request.method;
      if (this.#context.transactions.findServer(envelope, request.uri, method) !== undefined) return false;
      if (this.#context.dialogs.ofRequest(envelope) !== undefined) return false;
      if (this.#proxy.hasDialog(envelope)) return false;
    }
    this.#context.stats.dropsBanned += 1;
    return true;
  }

  #dispatch(incoming: Incoming): void {
    const { request, envelope } = incoming;
    if (request.method === 'CANCEL') {
      this.#cancel(incoming);
      return;
    }
    const transaction = this.#context.transactions.findServer(envelope, request.uri, request.method);
    if (transaction !== undefined) {
      if (request.method !== 'ACK') this.#context.stats.retransmissionsAbsorbed += 1;
      transaction.receive(request);
    } else if (request.method === 'ACK') this.#acknowledge(incoming);
    else if (envelope.toTag === undefined) this.#outsideDialog(incoming);
    else this.#insideDialog(incoming);
  }

  #outsideDialog(incoming: Incoming): void {
    const { request, envelope, flow } = incoming;
    const { dialogs, routes, stats } = this.#context;
    const invite = request.method === 'INVITE';
    if (onlyInDialogs.has(request.method)) {
      this.#refusals.noDialog(incoming);
      return;
    }
    // A dialog's name must not be taken over by a second INVITE, merged or forged.
    if (this.#pending.hasMerged(envelope) || (invite && dialogs.byId(dialogIdOf(envelope)) !== undefined)) {
      this.#refusals.refuse(incoming, 482, 'Loop Detected');
      return;
    }
    if (needsTls(request, flow)) {
      this.#refusals.refuse(incoming, 480, 'Temporarily Unavailable', [TLS_NEEDED]);
      return;
    }
    const overload = this.#overload(flow.remote.address, invite);
    if (overload !== undefined) {
      this.#refusals.overloaded(incoming, overload);
      return;
    }
    const app = routes.next(request.method);
    if (app === undefined) {
      stats.unrouted += 1;
      this.#refusals.refuse(incoming, 503, 'Service Unavailable', [RETRY_AFTER]);
      return;
    }
    this.#handOver(incoming, app, undefined);
  }

  /** Why nothing new of this source is taken now. */
  #overload(source: string, invite: boolean): Overload | undefined {
    const { dialogs, exemptions, isKnown, limits, load, stats, transactions } = this.#context;
    const strained = load.overload(isKnown(source));
    if (strained !== undefined) return strained;
    const noCalls =
      stats.pendingInvites >= limits.maxPendingInvites ||
      dialogs.size >= limits.maxDialogs ||
      (this.#pending.invitesOf(source) >= limits.maxPendingInvitesPerSource && !exemptions.has(source));
    if (!transactions.admits(source) || (invite && noCalls)) return 'full';
    const greedy = this.#pending.hasMoreThanItsShare(source, limits.maxUndecided);
    return greedy && !exemptions.has(source) ? 'share' : undefined;
  }

  #insideDialog(incoming: Incoming): void {
    const { request, envelope, flow, path } = incoming;
    const dialog = this.#context.dialogs.ofRequest(envelope);
    if (dialog === undefined) {
      if (!this.#proxy.forward(incoming)) this.#refusals.noDialog(incoming);
      return;
    }
    if (needsTls(request, flow, dialog)) {
      this.#refusals.refuse(incoming, 480, 'Temporarily Unavailable', [TLS_NEEDED]);
      return;
    }
    if (envelope.cseq <= dialog.remoteCSeq) {
      this.#refusals.refuse(incoming, 500, 'CSeq Out Of Order');
      return;
    }
    // A call can be ended however full the tables are.
    if (request.method !== 'BYE' && !this.#context.transactions.admits(flow.remote.address)) {
      this.#refusals.overloaded(incoming, 'full');
      return;
    }
    if (this.#outOfTurn.refuses(incoming, dialog)) return;
    dialog.remoteCSeq = envelope.cseq;
    dialog.symmetric = path.symmetric;
    this.#context.dialogs.moveTo(dialog, flow);
    if (request.body.length > 0) dialog.theirChanges += 1;
    if (request.method === 'BYE') this.#endCall(dialog);
    // The application knows no early dialog: it has heard of a CANCEL instead.
    if (request.method === 'BYE' && !dialog.confirmed) this.#refusals.refuse(incoming, 200, 'OK');
    else this.#handOver(incoming, dialog.app, dialog);
  }

  /** A BYE ends the dialog at once, and what was pending in it (RFC 3261 §15.1.2). */
  #endCall(dialog: Dialog): void {
    const open = dialog.theirInvite || !dialog.confirmed ? this.#pending.all() : [];
    for (const pending of open) {
      if (pending.dialog !== dialog || pending.request.method !== 'INVITE') continue;
      if (pending.inDialog) this.#answers.end(pending, 487, 'Request Terminated');
      else this.#answers.cancel(pending, 487, 'Request Terminated');
    }
    this.#context.dialogs.remove(dialog);
  }

  #handOver(incoming: Incoming, app: AppLink, dialog: Dialog | undefined): void {
    const { request, envelope, flow, path } = incoming;
    // These live as long as the transaction: they must not keep the request.
    const reply = (): Flow => this.#answers.replyTo({ path, flow });
    const acked = (ack: SipRequest): void => this.#acknowledgeBy(ack, flow, path);
    const transaction = this.#context.transactions.createServer(request, envelope, flow, reply, acked);
    const pending: Pending = {
      ...incoming,
      transaction,
      app,
      dialog,
      inDialog: dialog !== undefined,
      toTag: newTag(),
      patience: noTimer,
    };
    this.#answers.expect(pending);
    if (request.method === 'UPDATE' && dialog !== undefined) dialog.theirUpdate = true;
    if (request.method === 'INVITE') {
      if (dialog !== undefined) dialog.theirInvite = true;
      transaction.respond(100, serializeMessage(plainResponse(pending, 100, 'Trying')));
    }
    const event = networkEvent(incoming, transaction.id, dialog?.id ?? '');
    app.deliver(dialog === undefined ? { ...event, receivedOn: flow.local } : event);
  }

  /** CANCEL is answered by the engine, and the INVITE with it (RFC 3261 §9.2), unless others have it (§16.10). */
  #cancel(incoming: Incoming): void {
    const { request, envelope } = incoming;
    const invite = this.#context.transactions.findServer(envelope, request.uri, 'INVITE');
    if (invite === undefined) {
      this.#refusals.noDialog(incoming);
      return;
    }
    const pending = this.#pending.get(invite.id);
    this.#refusals.refuse(incoming, 200, 'OK', [], pending?.toTag);
    const proxied = this.#proxy.cancel(invite.id, request);
    if (pending === undefined || (pending.proxied && !proxied)) return;
    const dialogId = pending.dialog?.id ?? '';
    if (!proxied) this.#answers.end(pending, 487, 'Request Terminated');
    pending.app.deliver(cancelEvent(pending, dialogId, request));
  }

  /** An ACK that reached the transaction of its INVITE although that was answered 2xx. */
  #acknowledgeBy(ack: SipRequest, flow: Flow, path: ReturnPath): void {
    const envelope = envelopeOf(ack);
    if (envelope !== undefined) this.#acknowledge({ request: ack, envelope, flow, path });
  }

  /** The ACK to a 2xx goes to the application, once (RFC 3261 §13.3.1.4). */
  #acknowledge(incoming: Incoming): void {
    const { request, envelope, flow } = incoming;
    const dialog = this.#context.dialogs.ofRequest(envelope);
    const answer = dialog?.unacked.get(envelope.cseq);
    if (dialog === undefined || answer === undefined || needsTls(request, flow, dialog)) {
      if (!this.#proxy.acknowledge(incoming)) this.#context.stats.dropped += 1;
      return;
    }
    answer.stop();
    dialog.unacked.delete(envelope.cseq);
    const id = envelope.cseq === dialog.initialCSeq ? dialog.inviteId : randomUUID();
    dialog.app.deliver({ ...networkEvent(incoming, id, dialog.id), protocol: '' });
  }
}

function networkEvent({ request, flow }: Incoming, transactionId: string, dialogId: string): AppEvent {
  return {
    source: 'network',
    protocol: flow.transport,
    address: flow.remote.address,
    port: flow.remote.port,
    transactionId,
    dialogId,
    message: request,
  };
}
