import type { AppEvent, AppLink, Outcome } from './app-link.ts';
import type { EngineContext } from './context.ts';
import { type Dialog, newDialog, refreshTarget } from './dialog.ts';
import { type HeaderField, header, type SipRequest, type SipResponse, serializeMessage } from './message.ts';
import type { Pending, PendingRequests } from './pending-requests.ts';
import { ReliableResponses } from './reliable-responses.ts';
import { replyFlow } from './response-routing.ts';
import type { Flow } from './transport.ts';
import { UnackedAnswer } from './unacked-answer.ts';
import { chosenTag, completeResponse, needsPrack, offersPrack, plainResponse } from './write-response.ts';

/**
 * ms that the application has for a first answer to an INVITE, after a provisional one for the next, and for any other
 * request (less than the caller's timer F, so that it hears something).
 */
const FIRST_ANSWER_MS = 64_000;
const NEXT_ANSWER_MS = 180_000;
const OTHER_ANSWER_MS = 24_000;

const UNKNOWN_TRANSACTION = 'Response not sent due to unknown transaction';
const NO_PRACK = 'Remote endpoint does not support 100rel';

/** Answers to requests of the network: those of the application, and those that the engine gives in its place. */
export class Answers {
  readonly #context: EngineContext;
  readonly #pending: PendingRequests;
  /** Ends a dialog whose 2xx nobody acknowledged. */
  readonly #ackMissing: (dialog: Dialog) => void;

  constructor(context: EngineContext, pending: PendingRequests, ackMissing: (dialog: Dialog) => void) {
    this.#context = context;
    this.#pending = pending;
    this.#ackMissing = ackMissing;
  }

  /** Starts waiting for the application. */
  expect(pending: Pending): void {
    const ms = pending.request.method === 'INVITE' ? FIRST_ANSWER_MS : OTHER_ANSWER_MS;
    pending.patience = this.#context.clock.after(ms, () => this.#giveUp(pending));
    this.#pending.add(pending);
  }

  /** A response of the application to transaction `id`. */
  respond(app: AppLink, id: string, said: SipResponse): Outcome {
    const pending = this.#pending.get(id);
    if (pending?.app !== app || pending.proxied) return { refused: UNKNOWN_TRANSACTION };
    if (!pending.inDialog && pending.dialog === undefined) pending.toTag = chosenTag(said) ?? pending.toTag;
    const reliable = needsPrack(pending.request, said);
    if (reliable && !offersPrack(pending.request)) return { refused: NO_PRACK };
    if (reliable && pending.reliable?.isFull) return { refused: 'too many responses wait for their PRACK' };
    const response = completeResponse(pending, said);
    if (response === undefined) return { refused: 'missing content-type' };
    const rseq = reliable ? this.#number(pending, response) : undefined;
    const bytes = serializeMessage(response);
    this.#settle(pending, response);
    const invite = pending.request.method === 'INVITE';
    return {
      sent: response,
      protocol: invite ? pending.flow.transport : '',
      address: pending.flow.remote.address,
      port: pending.flow.remote.port,
      transactionId: id,
      dialogId: pending.request.method === 'BYE' ? '' : (pending.dialog?.id ?? ''),
      transmit: () => this.#transmit(pending, response, bytes, rseq),
    };
  }

  /** The engine answers in the application's place; the application can no longer. */
  end(pending: Pending, status: number, reason: string, headers: HeaderField[] = []): void {
    const response = plainResponse(pending, status, reason);
    response.headers.push(...headers);
    this.#settle(pending, response);
    pending.transaction.respond(status, serializeMessage(response));
  }

  /** Ends an INVITE and tells the application by a CANCEL, as if the caller had sent one. */
  cancel(pending: Pending, status: number, reason: string): void {
    const dialogId = pending.dialog?.id ?? '';
    this.end(pending, status, reason);
    pending.app.deliver(cancelEvent(pending, dialogId, cancelOf(pending.request, status, reason)));
  }

  /** The state of transaction and dialog after a response, before it is on the wire. */
  #settle(pending: Pending, response: SipResponse): void {
    const { dialog, inDialog, request } = pending;
    const { status } = response;
    const invite = request.method === 'INVITE';
    this.#pending.decide(pending);
    if (status < 200) {
      pending.patience.cancel();
      if (invite && status > 100) this.#beginDialog(pending).reliable = pending.reliable;
      const ms = invite ? NEXT_ANSWER_MS : OTHER_ANSWER_MS;
      pending.patience = this.#context.clock.after(ms, () => this.#giveUp(pending));
      return;
    }
    this.#pending.delete(pending);
    if (request.method === 'UPDATE' && dialog !== undefined) this.#settleUpdate(dialog, request, response);
    if (!invite) return;
    if (status < 300) this.#confirm(pending, response);
    else {
      pending.reliable?.stop();
      if (!inDialog && dialog !== undefined) this.#context.dialogs.remove(dialog);
    }
    if (inDialog && dialog !== undefined) dialog.theirInvite = false;
  }

  #beginDialog(pending: Pending): Dialog {
    if (pending.dialog !== undefined) return pending.dialog;
    const { request, envelope, toTag, path, flow, app, transaction } = pending;
    const dialog = newDialog(request, envelope, toTag, path, flow, app, transaction.id);
    this.#context.dialogs.add(dialog);
    pending.dialog = dialog;
    return dialog;
  }

  #settleUpdate(dialog: Dialog, request: SipRequest, response: SipResponse): void {
    dialog.theirUpdate = false;
    if (response.status >= 300) return;
    refreshTarget(dialog, request);
    this.#context.sessionTimers.answered(dialog, request, response);
  }

  #confirm(pending: Pending, response: SipResponse): void {
    const dialog = this.#beginDialog(pending);
    dialog.confirmed = true;
    // The Contact of a first INVITE is known; an UPDATE may have brought a newer one since.
    if (pending.inDialog) refreshTarget(dialog, pending.request);
    this.#context.sessionTimers.answered(dialog, pending.request, response);
  }

  /** Numbers a reliable response (RFC 3262 §3). */
  #number(pending: Pending, response: SipResponse): number {
    const { clock } = this.#context;
    pending.reliable ??= new ReliableResponses(clock, pending.envelope.cseq, () =>
      this.#prackMissing(pending),
    );
    const rseq = pending.reliable.nextRSeq();
    response.headers.push({ name: 'RSeq', value: String(rseq) });
    return rseq;
  }

  #transmit(pending: Pending, response: SipResponse, bytes: Buffer, rseq: number | undefined): void {
    const { reliable, request } = pending;
    const { status, body } = response;
    const send = (): void => pending.transaction.respond(status, bytes);
    const success = request.method === 'INVITE' && status >= 200 && status < 300;
    if (rseq !== undefined) reliable?.add({ rseq, hasBody: body.length > 0, send });
    else if (!success) send();
    else if (reliable === undefined) this.#transmitSuccess(pending, bytes);
    else reliable.succeed(() => this.#transmitSuccess(pending, bytes));
  }

  #transmitSuccess(pending: Pending, bytes: Buffer): void {
    pending.transaction.respond(200, bytes);
    const { dialog, envelope, path, flow } = pending;
    if (dialog === undefined) return;
    const send = (): void => this.replyTo({ path, flow }).send(bytes);
    const answer = new UnackedAnswer(this.#context.clock, send, () => {
      this.#context.stats.acksMissing += 1;
      this.#ackMissing(dialog);
    });
    dialog.unacked.set(envelope.cseq, answer);
  }

  /** The flow that answers to a request take now. */
  replyTo({ path, flow }: Pick<Pending, 'path' | 'flow'>): Flow {
    return replyFlow(path, flow, this.#context.flowTo);
  }

  /** RFC 3262 §3: a 5xx for the INVITE, also in place of a 2xx that waited. */
  #prackMissing(pending: Pending): void {
    this.#context.stats.pracksMissing += 1;
    if (this.#pending.get(pending.transaction.id) === pending) {
      this.cancel(pending, 504, 'Server Time-out');
      return;
    }
    const response = plainResponse(pending, 504, 'Server Time-out');
    pending.transaction.respond(504, serializeMessage(response));
    if (pending.dialog !== undefined) this.#ackMissing(pending.dialog);
  }

  /** 408 is what RFC 3261 §21.4.9 has for a server that finds no answer in time; dispatchers go elsewhere on it. */
  #giveUp(pending: Pending): void {
    if (pending.request.method !== 'INVITE') {
      this.end(pending, 500, 'Server Internal Error');
      return;
    }
    this.#context.stats.invitesUnanswered += 1;
    this.cancel(pending, 408, 'Request Timeout');
  }
}

/** A CANCEL as the application is told of it: with the transaction id of the INVITE. */
export function cancelEvent(pending: Pending, dialogId: string, message: SipRequest): AppEvent {
  const { flow, transaction } = pending;
  return {
    source: 'network',
    protocol: flow.transport,
    address: flow.remote.address,
    port: flow.remote.port,
    transactionId: transaction.id,
    dialogId,
    message,
  };
}

/** The CANCEL that the caller of an INVITE would send (RFC 3261 §9.1), with why the engine did it. */
function cancelOf(invite: SipRequest, status: number, reason: string): SipRequest {
  const kept = new Set(['Via', 'From', 'To', 'Call-ID', 'Max-Forwards']);
  const headers = invite.headers.filter(({ name }) => kept.has(name));
  headers.push({ name: 'CSeq', value: (header(invite, 'CSeq') ?? '').replace(/\S+$/, 'CANCEL') });
  headers.push({ name: 'Reason', value: `SIP;cause=${status};text="${reason}"` });
  return { kind: 'request', method: 'CANCEL', uri: invite.uri, headers, body: Buffer.alloc(0) };
}
