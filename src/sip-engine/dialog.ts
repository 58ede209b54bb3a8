import type { AppLink } from './app-link.ts';
import type { Envelope } from './envelope.ts';
import { header, headersOf, type SipMessage, type SipRequest } from './message.ts';
import { parseNameAddr } from './name-addr.ts';
import type { ReturnPath } from './response-routing.ts';
import type { Flow } from './transport.ts';
import type { UnackedAnswer } from './unacked-answer.ts';

/** A dialog of RFC 3261 §12 in which we are the called party. */
export interface Dialog {
  /** drachtio's name for it: `<Call-ID>;from-tag=<tag of the caller>`. */
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Our From and To in requests that we send: the caller's To and From, with their tags. */
  readonly localParty: string;
  readonly remoteParty: string;
  /** Record-Route of the INVITE, in its order (RFC 3261 §12.1.1). */
  readonly routes: readonly string[];
  /** The application that answered it. */
  readonly app: AppLink;
  /** id of the INVITE's transaction, which drachtio also gives to the ACK. */
  readonly inviteId: string;
  readonly initialCSeq: number;
  /** URI of the peer's latest Contact. */
  remoteTarget: string;
  /** By which the latest request of the peer came. */
  flow: Flow;
  /** The peer listens on the port that it sends from. */
  symmetric: boolean;
  confirmed: boolean;
  localCSeq: number;
  remoteCSeq: number;
  /** 2xx answers of ours that wait for their ACK, by CSeq. */
  readonly unacked: Map<number, UnackedAnswer>;
  /** A re-INVITE of the peer that the application has not answered yet. */
  theirInvite: boolean;
  /** Our re-INVITE: `pending` until its final response, then what the ACK needs. */
  ourInvite: OurInvite | undefined;
}

export interface OurInvite {
  cseq: number;
  pending: boolean;
  succeeded: boolean;
  /** The ACK as sent, for further 2xx. */
  ack: { bytes: Buffer; flow: Flow } | undefined;
}

/** Requests that we send count from here; real ones start anywhere below 2^31 (RFC 3261 §8.1.1.5). */
const FIRST_CSEQ = 1;

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
    symmetric: path.symmetric,
    confirmed: false,
    localCSeq: FIRST_CSEQ,
    remoteCSeq: envelope.cseq,
    unacked: new Map(),
    theirInvite: false,
    ourInvite: undefined,
  };
}

/** Unique because a tag holds no `;`. */
export const dialogIdOf = (envelope: Envelope): string => `${envelope.callId};from-tag=${envelope.fromTag}`;

/** The URI of the first Contact. */
export function contactUri(message: SipMessage): string | undefined {
  const contact = parseNameAddr(headersOf(message, 'Contact')[0] ?? '');
  return contact === undefined || contact.uri === '*' ? undefined : contact.uri;
}
