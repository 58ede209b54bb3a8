import { newToken, type SipClient } from './sip-client.ts';
import { hostOf, parameter, SipHeaders, type SipRequest, uriOf } from './sip-message.ts';
import type { Peer } from './sip-transport.ts';

/** A dialog of a test phone (RFC 3261 §12), from our side. */
export interface Dialog {
  callId: string;
  /** `From` and `To` of the requests that we send. */
  local: string;
  remote: string;
  /** The Contact of the other side, or the URI that was called. */
  target: string;
  /** Route set, in the order in which we send it. */
  routes: string[];
  /** CSeq of the last request that we sent. */
  cseq: number;
  /** CSeq of our last INVITE, which its ACK has too. */
  inviteCSeq?: number;
}

/** Who we are on all requests. */
export interface Identity {
  readonly client: SipClient;
  /** Our Contact, in angle brackets. */
  readonly contact: string;
  readonly userAgent: string;
}

export function newDialog(uri: string, user: string, client: SipClient): Dialog {
  return {
    callId: `${newToken()}@${client.host}`,
    local: `<sip:${user}@${client.sentBy}>;tag=${newToken()}`,
    remote: `<${uri}>`,
    target: uri,
    routes: [],
    cseq: 0,
  };
}

/** A request ready to be sent, with the next CSeq number (ACK: that of the INVITE). */
export function newRequest(
  dialog: Dialog,
  identity: Identity,
  method: string,
  extra: Readonly<Record<string, string>> = {},
  body = '',
): SipRequest {
  if (method !== 'ACK') dialog.cseq++;
  if (method === 'INVITE') dialog.inviteCSeq = dialog.cseq;
  const headers = new SipHeaders([
    ['Via', identity.client.newVia()],
    ['Max-Forwards', '70'],
    ...dialog.routes.map((route): [string, string] => ['Route', route]),
    ['From', dialog.local],
    ['To', dialog.remote],
    ['Call-ID', dialog.callId],
    ['CSeq', `${method === 'ACK' ? (dialog.inviteCSeq ?? dialog.cseq) : dialog.cseq} ${method}`],
    ['Contact', identity.contact],
    ['User-Agent', identity.userAgent],
    ['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE'],
  ]);
  for (const [name, value] of Object.entries(extra)) headers.set(name, value);
  return { method, uri: dialog.target, headers, body };
}

/** Where a request of the dialog goes: the first route, or the Contact. */
export function nextHop(dialog: Dialog, client: SipClient): Promise<Peer> {
  const { host, port } = hostOf(dialog.routes[0] ? uriOf(dialog.routes[0]) : dialog.target);
  return client.transport.peer(host, port);
}

/** CANCEL of an INVITE: same branch, same CSeq number (RFC 3261 §9.1). */
export function cancelOf(invite: SipRequest): SipRequest {
  const headers = new SipHeaders();
  for (const name of ['Via', 'From', 'To', 'Call-ID']) headers.add(name, invite.headers.get(name)!);
  headers.add('CSeq', `${invite.headers.get('cseq')!.split(' ')[0]} CANCEL`).add('Max-Forwards', '70');
  return { method: 'CANCEL', uri: invite.uri, headers, body: '' };
}

/** Via, From, To (with a tag), Call-ID, CSeq and Record-Route of an answer. */
export function responseHeaders(request: SipRequest, tag = newToken()): SipHeaders {
  const headers = new SipHeaders(request.headers.all('via').map((via) => ['Via', via] as const));
  const to = request.headers.get('to')!;
  headers.add('From', request.headers.get('from')!);
  headers.add('To', parameter(to, 'tag') ? to : `${to};tag=${tag}`);
  headers.add('Call-ID', request.headers.get('call-id')!).add('CSeq', request.headers.get('cseq')!);
  for (const route of request.headers.all('record-route')) headers.add('Record-Route', route);
  return headers;
}
