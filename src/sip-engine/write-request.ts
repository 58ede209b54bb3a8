import { randomUUID } from 'node:crypto';
import { contactOf, contentType, passedOn, sentBy, withOwnAddress } from './app-message.ts';
import type { Dialog } from './dialog.ts';
import type { HeaderField, SipRequest, SipResponse } from './message.ts';
import { header } from './message.ts';
import type { Endpoint, Flow } from './transport.ts';
import { parseUri } from './uri.ts';

const refreshesTarget: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE', 'UPDATE', 'REFER', 'NOTIFY']);

/** `randomUUID` draws from a pool; `randomBytes` would be a system call each. */
export const newBranch = (): string => `z9hG4bK${randomUUID().replaceAll('-', '')}`;
export const newTag = (): string => randomUUID().replaceAll('-', '').slice(0, 20);

/** What the application wants to say in a dialog. */
export interface SaidRequest {
  method: string;
  headers: readonly HeaderField[];
  body: Buffer;
}

/**
 * A request inside a dialog (RFC 3261 §12.2.1.1): target, route set, tags, Call-ID and CSeq are the dialog's, the rest the
 * application's.
 * @returns undefined when it has a body without a type
 */
export function requestInDialog(
  dialog: Dialog,
  said: SaidRequest,
  flow: Flow,
  branch: string,
  cseq: number,
): SipRequest | undefined {
  const type = contentType(said.headers, said.body);
  if (type === null) return undefined;
  const { uri, routes } = routed(dialog.remoteTarget, dialog.routes);
  const headers: HeaderField[] = [
    {
      name: 'Via',
      value: `SIP/2.0/${flow.transport.toUpperCase()} ${sentBy(flow.local)};rport;branch=${branch}`,
    },
    ...routes.map((value) => ({ name: 'Route', value })),
    { name: 'Max-Forwards', value: said.headers.find(({ name }) => name === 'Max-Forwards')?.value ?? '70' },
    { name: 'From', value: dialog.localParty },
    { name: 'To', value: dialog.remoteParty },
    { name: 'Call-ID', value: dialog.callId },
    { name: 'CSeq', value: `${cseq} ${said.method}` },
  ];
  const contacts = said.headers.filter(({ name }) => name === 'Contact');
  for (const { value } of contacts) headers.push({ name: 'Contact', value: withOwnAddress(value, flow) });
  if (contacts.length === 0 && refreshesTarget.has(said.method)) {
    headers.push({ name: 'Contact', value: contactOf(flow) });
  }
  headers.push(...passedOn(said.headers));
  if (type !== undefined) headers.push({ name: 'Content-Type', value: type });
  return { kind: 'request', method: said.method, uri, headers, body: said.body };
}

/** Request-URI and Route headers for a target behind a route set; a strict router gets the Request-URI for itself. */
function routed(target: string, routes: readonly string[]): { uri: string; routes: readonly string[] } {
  const first = routes[0];
  if (first === undefined || isLoose(first)) return { uri: target, routes };
  return { uri: uriOf(first), routes: [...routes.slice(1), `<${target}>`] };
}

const isLoose = (route: string): boolean => parseUri(uriOf(route))?.params.has('lr') ?? false;

/** The URI inside a Route value. */
const uriOf = (route: string): string => /<([^>]*)>/.exec(route)?.[1] ?? route.trim();

const DEFAULT_PORT = 5060;

/** Host and port that a URI names, and its transport if it says one; undefined when it is no SIP URI. */
export function hopOf(route: string): (Endpoint & { transport: string | undefined }) | undefined {
  const uri = parseUri(uriOf(route));
  if (uri === undefined || uri.host === '') return undefined;
  return {
    address: uri.host.replace(/^\[|\]$/g, ''),
    port: uri.port ?? DEFAULT_PORT,
    transport: uri.params.get('transport')?.toLowerCase() ?? undefined,
  };
}

/** The ACK to a failed INVITE (RFC 3261 §17.1.1.3): same branch, same target, the To of the response. */
export function ackForFailure(invite: SipRequest, response: SipResponse): SipRequest {
  const kept = new Set(['Route', 'Max-Forwards', 'From', 'Call-ID']);
  const via = invite.headers.find(({ name }) => name === 'Via');
  const cseq = header(invite, 'CSeq') ?? '';
  const headers: HeaderField[] = [
    ...(via === undefined ? [] : [via]),
    ...invite.headers.filter(({ name }) => kept.has(name)),
    { name: 'To', value: header(response, 'To') ?? header(invite, 'To') ?? '' },
    { name: 'CSeq', value: cseq.replace(/\S+$/, 'ACK') },
  ];
  return { kind: 'request', method: 'ACK', uri: invite.uri, headers, body: Buffer.alloc(0) };
}
