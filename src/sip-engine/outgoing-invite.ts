import type { AppLink } from './app-link.ts';
import type { EngineContext } from './context.ts';
import { type Dialog, learnPeer, newClientDialog, type OurInvite } from './dialog.ts';
import { type Envelope, envelopeOf } from './envelope.ts';
import { HopWalk, type Way } from './hop-walk.ts';
import { type HeaderField, header, type SipRequest, type SipResponse } from './message.ts';
import { completeAnswer } from './rfc2543.ts';
import { parseNumber } from './scanner.ts';
import { CANCELED_MS, TIMER_C_MS, type Timer } from './timers.ts';
import type { Flow } from './transport.ts';
import { localEvent, responseEvent } from './uac-events.ts';

/** What an INVITE of ours needs of the rest of the engine. */
export interface OutgoingInviteParts {
  context: EngineContext;
  app: AppLink;
  transactionId: string;
  /** The dialog's name at the application, the same for all forks. */
  dialogId: string;
  /** A 2xx that nobody wants: it is acknowledged, and its dialog ended. */
  unwanted(dialog: Dialog, invite: OurInvite): void;
  /** It has its final response, or has given up: the application cannot cancel it any more. */
  settled(invite: OutgoingInvite): void;
}

/** Forks of one INVITE that are followed; a peer that makes more of them is not playing fair. */
const MOST_FORKS = 16;

/**
 * An INVITE of ours outside a dialog until all its answers are in (RFC 3261 §13.2): early dialogs of every fork, CANCEL,
 * reliable provisional responses in their order (RFC 3262 §4), and the end of patience with a peer that only ever rings
 * (timer C, as a proxy has it, RFC 3261 §16.8). The first 2xx is the application's; each other fork that
 * answers is acknowledged and ended here.
 */
export class OutgoingInvite {
  readonly app: AppLink;
  readonly transactionId: string;
  readonly #parts: OutgoingInviteParts;
  readonly #walk: HopWalk;
  readonly #forks = new Map<string, Dialog>();
  /** By fork: our INVITE as its 2xx left it, so that a repeated 2xx gets the same ACK again. */
  readonly #accepted = new Map<string, OurInvite>();
  /** Reliable provisional responses that the application has yet to acknowledge, in their order. */
  #unpracked: { fork: Dialog; rseq: number }[] = [];
  #final = false;
  #orphaned = false;
  #cancel: 'no' | 'wanted' | 'sent' = 'no';
  #cancelHeaders: readonly HeaderField[] = [];
  /** Timer C, and after the CANCEL the time that the INVITE still has. */
  #deadline: Timer | undefined;

  constructor(
    parts: OutgoingInviteParts,
    ways: readonly Way[],
    build: (flow: Flow, branch: string) => SipRequest,
  ) {
    this.#parts = parts;
    this.app = parts.app;
    this.transactionId = parts.transactionId;
    this.#walk = new HopWalk(parts.context, ways, build, {
      response: (response, flow) => this.#receive(response, flow),
      failed: (status, _request, _flow, why) => this.#fail(status, why),
    });
  }

  get request(): SipRequest {
    return this.#walk.request;
  }

  get flow(): Flow {
    return this.#walk.flow;
  }

  start(): void {
    this.#walk.start();
  }

  /** Cancels, as soon as a provisional response allows it (RFC 3261 §9.1). */
  cancel(headers: readonly HeaderField[] = []): void {
    if (this.#cancel !== 'no' || this.#final) return;
    this.#cancel = 'wanted';
    this.#cancelHeaders = headers;
    this.#walk.settle();
    if (this.#walk.provisional) this.#sendCancel();
  }

  /** Its application is gone: it is cancelled, and what answers it all the same is ended. */
  orphan(): void {
    this.#orphaned = true;
    this.cancel();
  }

  /** The early dialog that a PRACK is for: the first that sent this RSeq and has not had one. */
  forkToAcknowledge(rseq: number): Dialog | undefined {
    const at = this.#unpracked.findIndex((one) => one.rseq === rseq);
    return at < 0 ? undefined : this.#unpracked.splice(at, 1)[0]?.fork;
  }

  /** Stops its timers; nobody is told. */
  close(): void {
    this.#deadline?.cancel();
    this.#walk.abandon();
  }

  #sendCancel(): void {
    this.#cancel = 'sent';
    this.#walk.sendCancel(this.#cancelHeaders);
    this.#allow(CANCELED_MS, () => {
      this.#walk.abandon();
      this.#fail(408);
    });
  }

  #allow(ms: number, then: () => void): void {
    this.#deadline?.cancel();
    this.#deadline = this.#parts.context.clock.after(ms, then);
  }

  #receive(response: SipResponse, flow: Flow): void {
    if (response.status < 200) this.#progress(response, flow);
    else if (response.status < 300) this.#succeed(response, flow);
    else this.#end(response, flow);
  }

  #progress(response: SipResponse, flow: Flow): void {
    if (this.#cancel === 'wanted') this.#sendCancel();
    if (this.#final) return;
    // A 100 says nothing of how far the call is (§16.7, step 2).
    const further = response.status > 100 || this.#deadline === undefined;
    if (this.#cancel === 'no' && further) this.#allow(TIMER_C_MS, () => this.cancel());
    if (response.status === 100) return;
    const fork = this.#forkOf(response, flow);
    if (fork !== undefined && !this.#isNext(fork, response)) return;
    if (fork !== undefined) this.#parts.context.dialogs.prefer(fork);
    this.#deliver(response, flow);
  }

  /**
   * Whether a provisional response is to be heard: an unreliable one always, a reliable one when it is the next of its
   * fork (RFC 3262 §4); a repeated one, or one ahead of its turn, is not.
   */
  #isNext(fork: Dialog, response: SipResponse): boolean {
    const rseq = parseNumber(header(response, 'RSeq') ?? '', 2 ** 32 - 1);
    if (rseq === undefined) return true;
    if (fork.remoteRSeq !== undefined && rseq !== fork.remoteRSeq + 1) return false;
    fork.remoteRSeq = rseq;
    this.#unpracked.push({ fork, rseq });
    return true;
  }

  #succeed(response: SipResponse, flow: Flow): void {
    const envelope = envelopeOf(response);
    if (envelope === undefined) return;
    const tag = envelope.toTag ?? '';
    const before = this.#accepted.get(tag);
    if (before !== undefined) {
      // Repeated: the ACK was lost, or the application has yet to give it.
      before.ack?.flow.send(before.ack.bytes);
      return;
    }
    if (this.#accepted.size >= MOST_FORKS) return;
    const accepted: OurInvite = { cseq: envelope.cseq, pending: false, succeeded: true, ack: undefined };
    this.#accepted.set(tag, accepted);
    const dialog = this.#forkOf(response, flow) ?? this.#begin(response, envelope, flow);
    learnPeer(dialog, response);
    dialog.confirmed = true;
    dialog.ourInvite = accepted;
    const wanted = !this.#final && !this.#orphaned;
    if (!this.#final) this.#settle();
    if (!wanted) {
      this.#parts.unwanted(dialog, accepted);
      return;
    }
    this.#forks.delete(tag);
    this.#endForks();
    this.#parts.context.dialogs.prefer(dialog);
    this.#parts.context.sessionTimers.succeeded(dialog, this.#walk.request, response);
    this.#deliver(completeAnswer(response, dialog.remoteTarget), flow);
  }

  #end(response: SipResponse, flow: Flow): void {
    if (this.#final) return;
    this.#settle();
    this.#endForks();
    this.#deliver(response, flow);
  }

  #fail(status: 408 | 503, why?: string): void {
    if (this.#final) return;
    this.#settle();
    this.#endForks();
    const { app, transactionId, dialogId } = this.#parts;
    app.deliver(localEvent(transactionId, dialogId, this.#walk.request, status, this.#walk.flow, why));
  }

  #settle(): void {
    this.#final = true;
    this.#deadline?.cancel();
    this.#parts.settled(this);
  }

  /** The early dialog of a response with a To tag; without one there is none yet. */
  #forkOf(response: SipResponse, flow: Flow): Dialog | undefined {
    const envelope = envelopeOf(response);
    if (envelope?.toTag === undefined) return undefined;
    const known = this.#forks.get(envelope.toTag);
    if (known === undefined && this.#forks.size >= MOST_FORKS) return undefined;
    if (known === undefined) return this.#begin(response, envelope, flow);
    learnPeer(known, response);
    return known;
  }

  #begin(response: SipResponse, envelope: Envelope, flow: Flow): Dialog {
    const { context, app, transactionId } = this.#parts;
    const dialog = newClientDialog(this.#walk.request, response, envelope, flow, app, transactionId);
    this.#forks.set(dialog.remoteTag, dialog);
    context.dialogs.add(dialog);
    return dialog;
  }

  #endForks(): void {
    for (const fork of this.#forks.values()) this.#parts.context.dialogs.remove(fork);
    this.#forks.clear();
  }

  #deliver(response: SipResponse, flow: Flow): void {
    const { app, transactionId, dialogId } = this.#parts;
    app.deliver(responseEvent(transactionId, dialogId, response, flow));
  }
}
