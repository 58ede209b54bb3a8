import type { AppLink } from './app-link.ts';
import type { Envelope } from './envelope.ts';
import { header, headersOf, type SipMessage, type SipRequest, type SipResponse } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import type { ReliableResponses } from './reliable-responses.ts';
import type { ReturnPath } from './response-routing.ts';
import type { SessionTimer } from './session-timer.ts';
import { answersAsSips, isSips } from './sips.ts';
import type { Flow } from './transport.ts';
import type { UnackedAnswer } from './unacked-answer.ts';

/** A dialog of RFC 3261 §12. */
export interface Dialog {
  /** Whether we were called, or have called. */
  readonly role: 'uas' | 'uac';
  /** drachtio's name for it: `<Call-ID>;from-tag=<tag of the caller>`; the forks of an INVITE of ours share it. */
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Our From and To in requests that we send, with their tags. */
  readonly localParty: string;
  readonly remoteParty: string;
  /** The route set: Record-Route in its order where we were called, reversed where we called (RFC 3261 §12.1). */
  routes: readonly string[];
  /** The application that answered it, or called. */
  readonly app: AppLink;
  /** id of the INVITE's transaction, which drachtio also gives to the ACK. */
  readonly inviteId: string;
  readonly initialCSeq: number;
  /** URI of the peer's latest Contact. */
  remoteTarget: string;
  /** By which the latest request of the peer came; before the first, the one that our INVITE took. */
  flow: Flow;
  /** Our Contact in it is a `sips` URI. */
  readonly sips: boolean;
  /** The peer listens on the port that it sends from. */
  symmetric: boolean;
  confirmed: boolean;
  localCSeq: number;
  remoteCSeq: number;
  /** 2xx answers of ours that wait for their ACK, by CSeq. */
  readonly unacked: Map<number, UnackedAnswer>;
  /** Highest RSeq of the peer's reliable provisional responses (RFC 3262 §4). */
  remoteRSeq: number | undefined;
  /** Provisional responses of ours to the peer's latest INVITE that want a PRACK. */
  reliable: ReliableResponses | undefined;
  /** A re-INVITE of the peer that the application has not answered yet. */
  theirInvite: boolean;
  /** An UPDATE of the peer that the application has not answered yet. */
  theirUpdate: boolean;
  /** Changes of the session by the peer: an offer of ours from before one of them is stale. */
  theirChanges: number;
  /** Our latest INVITE in it: `pending` until its final response, then what the ACK needs. */
  ourInvite: OurInvite | undefined;
  /** An UPDATE of ours with an offer that the peer has not answered yet. */
  ourUpdate: boolean;
  /** What was agreed by the latest 2xx to an INVITE or UPDATE (RFC 4028). */
  sessionTimer: SessionTimer | undefined;
  /** Our SDP as the peer has it, for a refresh by re-INVITE. */
  localSdp: Buffer | undefined;
  /** The peer's Allow names UPDATE. */
  peerTakesUpdate: boolean;
}

export interface OurInvite {
  cseq: number;
  pending: boolean;
  succeeded: boolean;
  /** The ACK as sent, for further 2xx. */
  ack: { bytes: Buffer; flow: Flow } | undefined;
}

/** Requests that we send count from here; real ones start anywhere below 2^31 (RFC 3261 §8.1.1.5). */
export const FIRST_CSEQ = 1;

/** What a dialog of either role begins with: nothing has happened in it. */
const nothingYet = () => ({
  confirmed: false,
  unacked: new Map<number, UnackedAnswer>(),
  remoteRSeq: undefined,
  reliable: undefined,
  theirInvite: false,
  theirUpdate: false,
  theirChanges: 0,
  ourInvite: undefined,
  ourUpdate: false,
  sessionTimer: undefined,
  localSdp: undefined,
  peerTakesUpdate: false,
});

/** The dialog that our response with `localTag` to an INVITE begins. */
export function newDialog(
  invite: SipRequest,
  envelope: Envelope,
  localTag: string,
  path: ReturnPath,
  flow: Flow,
  app: AppLink,
  inviteId: string,
): Dialog {
  return {
    role: 'uas',
    id: dialogIdOf(envelope),
    callId: envelope.callId,
    localTag,
    remoteTag: envelope.fromTag,
    localParty: `${header(invite, 'To') ?? ''};tag=${localTag}`,
    remoteParty: header(invite, 'From') ?? '',
    routes: headersOf(invite, 'Record-Route'),
    app,
    inviteId,
    initialCSeq: envelope.cseq,
    remoteTarget: contactUri(invite) ?? '',
    flow,
    sips: answersAsSips(invite, flow),
    symmetric: path.symmetric,
    localCSeq: FIRST_CSEQ,
    remoteCSeq: envelope.cseq,
    ...nothingYet(),
  };
}

/** The dialog that a response with a tag to our INVITE begins (RFC 3261 §12.1.2). */
export function newClientDialog(
  invite: SipRequest,
  response: SipResponse,
  envelope: Envelope,
  flow: Flow,
  app: AppLink,
  inviteId: string,
): Dialog {
  const dialog: Dialog = {
    role: 'uac',
    id: dialogIdOf(envelope),
    callId: envelope.callId,
    localTag: envelope.fromTag,
    remoteTag: envelope.toTag ?? '',
    localParty: header(invite, 'From') ?? '',
    remoteParty: header(response, 'To') ?? '',
    routes: [],
    app,
    inviteId,
    initialCSeq: envelope.cseq,
    remoteTarget: invite.uri,
    flow,
    sips: isSips(invite.uri),
    symmetric: true,
    localCSeq: envelope.cseq,
    // The peer has sent none yet, and may begin with 0.
    remoteCSeq: -1,
    ...nothingYet(),
  };
  learnPeer(dialog, response);
  return dialog;
}

/** Target and route set as a response to our first INVITE gives them; a 2xx has the last word (RFC 3261 §13.2.2.4). */
export function learnPeer(dialog: Dialog, response: SipResponse): void {
  refreshTarget(dialog, response);
  dialog.routes = headersOf(response, 'Record-Route').reverse();
}

/** What a peer says of where it is now (RFC 3261 §12.2, RFC 3311 §5.2); without a Contact it is where it was. */
export function refreshTarget(peer: Pick<Dialog, 'remoteTarget'>, message: SipMessage): void {
  peer.remoteTarget = contactUri(message) ?? peer.remoteTarget;
}

/** Unique because a tag holds no `;`. */
export const dialogIdOf = (envelope: Envelope): string => `${envelope.callId};from-tag=${envelope.fromTag}`;

/** The URI of the first Contact. */
export function contactUri(message: SipMessage): string | undefined {
  const contact = parseNameAddr(headersOf(message, 'Contact')[0] ?? '');
  return contact === undefined || contact.uri === '*' ? undefined : contact.uri;
}
