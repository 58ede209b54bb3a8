import { randomUUID } from 'node:crypto';
import type { AppLink, Outcome } from './app-link.ts';
import type { EngineContext } from './context.ts';
import { parseCSeq } from './cseq.ts';
import { type Dialog, FIRST_CSEQ, type OurInvite } from './dialog.ts';
import { HopWalk, type Way } from './hop-walk.ts';
import { header, type SipRequest } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import { OutgoingInvite } from './outgoing-invite.ts';
import type { Flow } from './transport.ts';
import { localEvent, refused, responseEvent, sentBy } from './uac-events.ts';
import { parseUri } from './uri.ts';
import { nextHopOf, waysTo } from './ways.ts';
import { bodyHasType, cancelFor, newRequest, newTag, type RequestIdentity } from './write-request.ts';

const NOT_SENT = 'Error creating sip transaction for uac request';
const TO_OURSELVES = 'can not send request to myself';

/** Ends a dialog that nobody wants: acknowledges its 2xx and says BYE. */
export type EndUnwanted = (dialog: Dialog, invite: OurInvite) => void;

/** Requests of the application outside a dialog (RFC 3261 §8.1), and the CANCEL of one. */
export class NewRequests {
  readonly #context: EngineContext;
  readonly #endUnwanted: EndUnwanted;
  /** INVITEs without a final response, by transaction id and by dialog id. */
  readonly #invites = new Map<string, OutgoingInvite>();
  readonly #byDialog = new Map<string, OutgoingInvite>();

  constructor(context: EngineContext, endUnwanted: EndUnwanted) {
    this.#context = context;
    this.#endUnwanted = endUnwanted;
  }

  request(app: AppLink, said: SipRequest, proxy: string): Outcome | Promise<Outcome> {
    const target = nextHopOf(said, proxy);
    if (parseUri(said.uri) === undefined || target === undefined) {
      return refused(`invalid request-uri: ${said.method} ${said.uri} SIP/2.0`);
    }
    if (!bodyHasType(said)) return refused('missing content-type');
    const identity = identityOf(said);
    if (typeof identity === 'string') return refused(identity);
    if (this.#isFull(said.method)) return refused(`${NOT_SENT}: too many are pending`);
    const unresolved = (error: unknown): Outcome => refused(`${NOT_SENT}: ${(error as Error).message}`);
    try {
      const ways = waysTo(this.#context, target);
      if (!(ways instanceof Promise)) return this.#outcome(app, said, identity, ways);
      return ways.then((found) => this.#outcome(app, said, identity, found), unresolved);
    } catch (error) {
      return unresolved(error);
    }
  }

  /** CANCELs the INVITE with that transaction id. */
  cancel(app: AppLink, transactionId: string, said: SipRequest): Outcome {
    const invite = this.#invites.get(transactionId);
    if (invite === undefined || invite.app !== app || said.method !== 'CANCEL') {
      return refused(`unable to cancel unknown transaction id: ${transactionId}`);
    }
    return {
      ...sentBy(invite.flow),
      sent: cancelFor(invite.request, said.headers),
      transactionId: randomUUID(),
      transmit: () => invite.cancel(said.headers),
    };
  }

  /** The early dialog of an INVITE of ours that a PRACK with this RSeq is for. */
  forkToAcknowledge(dialogId: string, rseq: number): Dialog | undefined {
    return this.#byDialog.get(dialogId)?.forkToAcknowledge(rseq);
  }

  /** An application is gone: nobody waits for its calls any more. */
  cancelAll(app: AppLink): void {
    for (const invite of [...this.#invites.values()]) if (invite.app === app) invite.orphan();
  }

  close(): void {
    for (const invite of this.#invites.values()) invite.close();
    this.#invites.clear();
    this.#byDialog.clear();
  }

  #isFull(method: string): boolean {
    const { limits, stats } = this.#context;
    return (
      stats.clientTransactions >= limits.maxTransactions ||
      (method === 'INVITE' && this.#invites.size >= limits.maxPendingInvites)
    );
  }

  #outcome(app: AppLink, said: SipRequest, identity: RequestIdentity, ways: readonly Way[]): Outcome {
    if (ways.every(({ hop }) => hop !== undefined && this.#context.isOwn(hop))) return refused(TO_OURSELVES);
    const transactionId = randomUUID();
    const build = (flow: Flow, branch: string): SipRequest => newRequest(identity, said, flow, branch);
    const sending =
      said.method === 'INVITE'
        ? this.#newInvite(app, transactionId, identity, ways, build)
        : new HopWalk(this.#context, ways, build, {
            response: (response, flow) => app.deliver(responseEvent(transactionId, '', response, flow)),
            failed: (status, request, flow, why) =>
              app.deliver(localEvent(transactionId, '', request, status, flow, why)),
          });
    return {
      ...sentBy(sending.flow),
      sent: sending.request,
      transactionId,
      transmit: () => sending.start(),
    };
  }

  #newInvite(
    app: AppLink,
    transactionId: string,
    { callId, from }: RequestIdentity,
    ways: readonly Way[],
    build: (flow: Flow, branch: string) => SipRequest,
  ): OutgoingInvite {
    const tag = parseNameAddr(from)?.params.get('tag');
    const dialogId = `${callId};from-tag=${tag}`;
    const { stats } = this.#context;
    const invite = new OutgoingInvite(
      {
        context: this.#context,
        app,
        transactionId,
        dialogId,
        unwanted: this.#endUnwanted,
        settled: () => {
          this.#invites.delete(transactionId);
          if (this.#byDialog.get(dialogId) === invite) this.#byDialog.delete(dialogId);
          stats.outgoingInvites = this.#invites.size;
        },
      },
      ways,
      build,
    );
    this.#invites.set(transactionId, invite);
    this.#byDialog.set(dialogId, invite);
    stats.outgoingInvites = this.#invites.size;
    return invite;
  }
}

/** What the application may choose itself; a digest retry keeps Call-ID and From, and counts CSeq up (RFC 3261 §8.1.3.5). */
function identityOf(said: SipRequest): RequestIdentity | string {
  const cseq = header(said, 'CSeq');
  const number = cseq === undefined ? FIRST_CSEQ : parseCSeq(cseq)?.number;
  const callId = header(said, 'Call-ID') ?? randomUUID();
  const to = header(said, 'To') ?? `<${said.uri}>`;
  const from = taggedFrom(header(said, 'From') ?? 'sip:anonymous@localhost');
  if (number === undefined) return 'invalid CSeq';
  if (!/^[^\s|]+$/.test(callId)) return 'invalid Call-ID';
  if (parseNameAddr(to) === undefined) return 'invalid To';
  return from === undefined ? 'invalid From' : { uri: said.uri, from, to, callId, cseq: number };
}

/** A From value with a tag: its own, or a new one. */
function taggedFrom(value: string): string | undefined {
  const parsed = parseNameAddr(value);
  if (parsed === undefined) return undefined;
  if (parsed.params.get('tag')) return value;
  // A bare URI must not take the tag for a parameter of its own.
  return value.includes('<') ? `${value};tag=${newTag()}` : `<${value}>;tag=${newTag()}`;
}
