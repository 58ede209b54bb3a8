import type { AppLink, Outcome, RequestScope } from './app-link.ts';
import type { EngineContext } from './context.ts';
import type { Dialog, OurInvite } from './dialog.ts';
import { sendAndForget, type Way } from './hop-walk.ts';
import { header, type SipRequest } from './message.ts';
import { parseNumber } from './scanner.ts';
import { InDialogRequests } from './uac-in-dialog.ts';
import { NewRequests } from './uac-out-of-dialog.ts';
import { waysInDialog } from './ways.ts';
import { newBranch, requestInDialog, type SaidRequest } from './write-request.ts';

/** Requests that we send (RFC 3261 §8.1): those of the application, in and outside dialogs, and our own BYE. */
export class Uac {
  readonly #context: EngineContext;
  readonly #newRequests: NewRequests;
  readonly inDialog: InDialogRequests;

  constructor(context: EngineContext) {
    this.#context = context;
    this.inDialog = new InDialogRequests(context);
    this.#newRequests = new NewRequests(context, (dialog, invite) => this.#endUnwanted(dialog, invite));
  }

  /** A request of the application, in the order in which drachtio tells their kinds apart (protocol page §2). */
  request(app: AppLink, scope: RequestScope, said: SipRequest): Outcome | Promise<Outcome> {
    const { transactionId, dialogId, proxy } = scope;
    if (dialogId !== '') return this.inDialog.request(app, this.#dialogFor(dialogId, said), said);
    if (transactionId !== '') return this.#newRequests.cancel(app, transactionId, said);
    const dialog = this.#context.dialogs.byCallId(header(said, 'Call-ID') ?? '');
    if (dialog?.confirmed === true) return this.inDialog.request(app, dialog, said);
    return this.#newRequests.request(app, said, proxy);
  }

  /** Ends a dialog by ourselves and tells the application, as drachtio does. */
  endDialog(dialog: Dialog, reason: string): void {
    const bye = this.bye(dialog, reason);
    dialog.app.deliver({
      source: 'application',
      protocol: dialog.flow.transport,
      address: dialog.flow.local.address,
      port: dialog.flow.local.port,
      transactionId: 'unsolicited',
      dialogId: dialog.id,
      message: bye,
    });
  }

  /** Removes a dialog and sends its BYE; nobody waits for the answer. */
  bye(dialog: Dialog, text: string): SipRequest {
    this.#context.dialogs.remove(dialog);
    dialog.localCSeq += 1;
    const cseq = dialog.localCSeq;
    const headers = [{ name: 'Reason', value: `SIP;cause=200;text="${text}"` }];
    const said = { method: 'BYE', headers, body: Buffer.alloc(0) };
    const ways = waysInDialog(this.#context, dialog);
    const send = ([way]: readonly Way[]): SipRequest =>
      sendAndForget(this.#context, way as Way, (flow, branch) =>
        requestInDialog(dialog, said, flow, cseq, branch),
      );
    if (!(ways instanceof Promise)) return send(ways);
    void ways.then(send);
    return requestInDialog(dialog, said, dialog.flow, cseq, newBranch());
  }

  /** An application is gone: what it was calling is cancelled. */
  gone(app: AppLink): void {
    this.#newRequests.cancelAll(app);
  }

  close(): void {
    this.#newRequests.close();
    this.inDialog.close();
  }

  /** A PRACK belongs to the fork that it acknowledges (RFC 3262 §4); anything else to the one heard of last. */
  #dialogFor(dialogId: string, said: SaidRequest): Dialog | undefined {
    if (said.method === 'PRACK') {
      const rack = said.headers.find(({ name }) => name === 'RAck')?.value ?? '';
      const rseq = parseNumber(rack.split(' ')[0] ?? '', 2 ** 32 - 1);
      const fork = rseq === undefined ? undefined : this.#newRequests.forkToAcknowledge(dialogId, rseq);
      if (fork !== undefined) return fork;
    }
    return this.#context.dialogs.byId(dialogId);
  }

  /** A second fork has answered too: it gets its ACK, and a BYE (RFC 3261 §13.2.2.4). */
  #endUnwanted(dialog: Dialog, invite: OurInvite): void {
    const said = { method: 'ACK', headers: [], body: Buffer.alloc(0) };
    const acknowledge = ([way]: readonly Way[]): void => {
      this.inDialog.acknowledge(dialog, invite, said, way as Way).send();
      this.bye(dialog, 'another answer was taken');
    };
    const ways = waysInDialog(this.#context, dialog);
    if (ways instanceof Promise) void ways.then(acknowledge);
    else acknowledge(ways);
  }
}
