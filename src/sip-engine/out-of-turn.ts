import type { Dialog } from './dialog.ts';
import { header } from './message.ts';
import type { Incoming } from './pending-requests.ts';
import { parseRAck } from './rack.ts';
import type { Refusals } from './refusals.ts';
import type { SessionTimers } from './session-timers.ts';

/**
 * Requests of the peer that a dialog cannot take as it stands, and that the application is not asked about: offers that
 * cross (RFC 3261 §14.2, RFC 3311 §5.2), a PRACK for nothing (RFC 3262 §3), a session interval that is too short (RFC 4028
 * §9).
 */
export class OutOfTurn {
  readonly #refusals: Refusals;
  readonly #sessionTimers: SessionTimers;

  constructor(refusals: Refusals, sessionTimers: SessionTimers) {
    this.#refusals = refusals;
    this.#sessionTimers = sessionTimers;
  }

  /** @returns true when the request was answered here */
  refuses(incoming: Incoming, dialog: Dialog): boolean {
    const { method } = incoming.request;
    if (method === 'PRACK') return this.#prack(incoming, dialog);
    if (method !== 'INVITE' && method !== 'UPDATE') return false;
    const minSession = this.#sessionTimers.refuses(incoming.request);
    if (minSession !== undefined) {
      this.#refusals.refuse(incoming, 422, 'Session Interval Too Small', [minSession]);
      return true;
    }
    return method === 'INVITE' ? this.#reInvite(incoming, dialog) : this.#update(incoming, dialog);
  }

  #reInvite(incoming: Incoming, dialog: Dialog): boolean {
    if (hasOffered(dialog)) this.#refusals.refuse(incoming, 491, 'Request Pending');
    else if (dialog.theirInvite || dialog.theirUpdate || !dialog.confirmed) this.#notYet(incoming);
    else return false;
    return true;
  }

  /** UPDATEs come one at a time; those without an offer cross nothing. */
  #update(incoming: Incoming, dialog: Dialog): boolean {
    const offers = incoming.request.body.length > 0;
    if (dialog.theirUpdate || (offers && dialog.theirInvite)) this.#notYet(incoming);
    else if (offers && hasOffered(dialog)) this.#refusals.refuse(incoming, 491, 'Request Pending');
    else return false;
    return true;
  }

  /** A PRACK that is for a response of ours ends its repeating, and is the application's to answer. */
  #prack(incoming: Incoming, dialog: Dialog): boolean {
    const rack = parseRAck(header(incoming.request, 'RAck') ?? '');
    if (rack === undefined) this.#refusals.refuse(incoming, 400, 'Bad Request (RAck does not parse)');
    else if (dialog.reliable?.acknowledge(rack)) return false;
    else this.#refusals.noDialog(incoming);
    return true;
  }

  /** What the peer asked before has no answer yet. */
  #notYet(incoming: Incoming): void {
    const seconds = String(Math.floor(Math.random() * 11));
    this.#refusals.refuse(incoming, 500, 'Server Internal Error', [{ name: 'Retry-After', value: seconds }]);
  }
}

/** An offer of ours waits for its answer. */
const hasOffered = (dialog: Dialog): boolean => dialog.ourInvite?.pending === true || dialog.ourUpdate;
