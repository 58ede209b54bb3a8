import { randomUUID } from 'node:crypto';
import { contactOf, contentType, passedOn, sentBy, withOwnAddress } from './app-message.ts';
import type { Dialog } from './dialog.ts';
import type { HeaderField, SipRequest, SipResponse } from './message.ts';
import { header } from './message.ts';
import { OVERLOAD_OFFER } from './overload-control.ts';
import { isSips } from './sips.ts';
import type { Flow } from './transport.ts';
import { parseUri } from './uri.ts';

/** What moves the peers of a dialog (RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.4.1). */
export const refreshesTarget: ReadonlySet<string> = new Set([
  'INVITE',
  'SUBSCRIBE',
  'UPDATE',
  'REFER',
  'NOTIFY',
]);

/** `randomUUID` draws from a pool; `randomBytes` would be a system call each. */
export const newBranch = (): string => `z9hG4bK${randomUUID().replaceAll('-', '')}`;
export const newTag = (): string => randomUUID().replaceAll('-', '').slice(0, 20);

/** What the application wants to say. */
export interface SaidRequest {
  method: string;
  headers: readonly HeaderField[];
  body: Buffer;
}

/** Whether a body, if there is one, says its type or shows it. */
export const bodyHasType = ({ headers, body }: SaidRequest): boolean => contentType(headers, body) !== null;

/** What all tries of a new request have in common, whichever hop they take. */
export interface RequestIdentity {
  uri: string;
  /** With our tag. */
  from: string;
  to: string;
  callId: string;
  cseq: number;
}

/** A request outside a dialog (RFC 3261 §8.1.1). */
export function newRequest(
  identity: RequestIdentity,
  said: SaidRequest,
  flow: Flow,
  branch: string,
): SipRequest {
  const { uri, from, to, callId, cseq } = identity;
  // RFC 3261 §8.1.1.8: whoever is called securely calls back so.
  const parties = { from: withOwnAddress(from, flow), to, callId, cseq, sips: isSips(uri) };
  const request = complete(said, uri, [], parties, flow, branch);
  const [via] = request.headers;
  if (via !== undefined && said.method === 'INVITE') via.value += OVERLOAD_OFFER;
  return request;
}

/**
 * A request inside a dialog (RFC 3261 §12.2.1.1): target, route set, tags, Call-ID and CSeq are the dialog's, the rest the
 * application's.
 */
export function requestInDialog(
  dialog: Dialog,
  said: SaidRequest,
  flow: Flow,
  cseq: number,
  branch = newBranch(),
): SipRequest {
  const { uri, routes } = routed(dialog.remoteTarget, dialog.routes);
  const { localParty: from, remoteParty: to, callId, sips } = dialog;
  return complete(said, uri, routes, { from, to, callId, cseq, sips }, flow, branch);
}

function complete(
  said: SaidRequest,
  uri: string,
  routes: readonly string[],
  { from, to, callId, cseq, sips }: Omit<RequestIdentity, 'uri'> & { sips: boolean },
  flow: Flow,
  branch: string,
): SipRequest {
  const saidHeader = (wanted: string): string | undefined =>
    said.headers.find(({ name }) => name === wanted)?.value;
  const headers: HeaderField[] = [
    { name: 'Via', value: viaOf(flow, branch) },
    ...routes.map((value) => ({ name: 'Route', value })),
    { name: 'Max-Forwards', value: saidHeader('Max-Forwards') ?? '70' },
    { name: 'From', value: from },
    { name: 'To', value: to },
    { name: 'Call-ID', value: callId },
    { name: 'CSeq', value: `${cseq} ${said.method}` },
  ];
  const contacts = said.headers.filter(({ name }) => name === 'Contact');
  for (const { value } of contacts) headers.push({ name: 'Contact', value: withOwnAddress(value, flow) });
  if (contacts.length === 0 && refreshesTarget.has(said.method)) {
    headers.push({ name: 'Contact', value: contactOf(flow, sips) });
  }
  headers.push(...passedOn(said.headers));
  const type = contentType(said.headers, said.body);
  if (type) headers.push({ name: 'Content-Type', value: type });
  return { kind: 'request', method: said.method, uri, headers, body: said.body };
}

/**
 * Our topmost Via in what leaves by `flow`; with `rport`, so that answers find the way back (RFC 3581 §3). Over TLS the
 * peer may send its requests back by the connection, where it knows us by our certificate (RFC 5923 §8.1).
 */
export function viaOf({ transport, local }: Flow, branch: string): string {
  const alias = transport === 'tls' ? ';alias' : '';
  return `SIP/2.0/${transport.toUpperCase()} ${sentBy(local)};rport;branch=${branch}${alias}`;
}

/** Request-URI and Route headers for a target behind a route set; a strict router gets the Request-URI for itself. */
export function routed(
  target: string,
  routes: readonly string[],
): { uri: string; routes: readonly string[] } {
  const first = routes[0];
  if (first === undefined || isLoose(first)) return { uri: target, routes };
  return { uri: uriOf(first), routes: [...routes.slice(1), `<${target}>`] };
}

const isLoose = (route: string): boolean => parseUri(uriOf(route))?.params.has('lr') ?? false;

/** The URI inside a Route value. */
export const uriOf = (route: string): string => /<([^>]*)>/.exec(route)?.[1] ?? route.trim();

/** The CANCEL of an INVITE that is on its way (RFC 3261 §9.1): same branch, same target. */
export function cancelFor(invite: SipRequest, extra: readonly HeaderField[] = []): SipRequest {
  return ofSameBranch(invite, 'CANCEL', header(invite, 'To') ?? '', passedOn(extra));
}

/** The ACK to a failed INVITE (RFC 3261 §17.1.1.3): same branch, same target, the To of the response. */
export function ackForFailure(invite: SipRequest, response: SipResponse): SipRequest {
  return ofSameBranch(invite, 'ACK', header(response, 'To') ?? header(invite, 'To') ?? '', []);
}

function ofSameBranch(
  invite: SipRequest,
  method: string,
  to: string,
  extra: readonly HeaderField[],
): SipRequest {
  const kept = new Set(['Route', 'Max-Forwards', 'From', 'Call-ID']);
  const via = invite.headers.find(({ name }) => name === 'Via');
  const cseq = header(invite, 'CSeq') ?? '';
  const headers: HeaderField[] = [
    ...(via === undefined ? [] : [via]),
    ...invite.headers.filter(({ name }) => kept.has(name)),
    { name: 'To', value: to },
    { name: 'CSeq', value: cseq.replace(/\S+$/, method) },
    ...extra,
  ];
  return { kind: 'request', method, uri: invite.uri, headers, body: Buffer.alloc(0) };
}
