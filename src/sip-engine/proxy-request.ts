import { contactOf } from './app-message.ts';
import type { EngineContext } from './context.ts';
import { type HeaderField, header, headersOf, type SipRequest, type SipResponse } from './message.ts';
import { CERTIFICATE_HEADER } from './response-routing.ts';
import { parseNumber } from './scanner.ts';
import { isSips } from './sips.ts';
import { defaultPort, type Flow } from './transport.ts';
import { parseUri } from './uri.ts';
import { uriOf, viaOf } from './write-request.ts';

/** How often a request that says nothing may still be sent on (RFC 3261 §8.1.1.6). */
const MAX_FORWARDS = 70;

/** What a proxy changes in a request (RFC 3261 §16.6); all else goes on as it came. */
export interface Changes {
  /** Request-URI. */
  uri: string;
  /** Values of Route, in place of those that it has. */
  routes: readonly string[];
  /** Further values of Record-Route, or for a REGISTER of Path, the topmost first. */
  recordRoutes: readonly string[];
  /** Headers of the application, in place of those of the same name. */
  headers: readonly HeaderField[];
}

/** The request as it leaves by `flow`. */
export function forwardedRequest(
  request: SipRequest,
  { uri, routes, recordRoutes, headers }: Changes,
  flow: Flow,
  branch: string,
): SipRequest {
  const replaced = new Set(headers.map(({ name }) => name.toLowerCase()));
  for (const name of ['route', 'max-forwards', CERTIFICATE_HEADER.toLowerCase()]) replaced.add(name);
  const kept = request.headers.filter(({ name }) => !replaced.has(name.toLowerCase()));
  return {
    kind: 'request',
    method: request.method,
    uri,
    headers: [
      { name: 'Via', value: viaOf(flow, branch) },
      ...recorded(request.method, recordRoutes),
      ...routes.map((value) => ({ name: 'Route', value })),
      { name: 'Max-Forwards', value: String((hopsLeft(request) ?? MAX_FORWARDS + 1) - 1) },
      ...kept,
      ...headers,
    ],
    body: request.body,
  };
}

/** A registration has no dialog, but its registrar remembers the way to the contact (RFC 3327 §5.2). */
function recorded(method: string, routes: readonly string[]): HeaderField[] {
  const name = method === 'REGISTER' ? 'Path' : 'Record-Route';
  const fields = routes.map((value) => ({ name, value }));
  return method === 'REGISTER' && fields.length > 0
    ? [...fields, { name: 'Require', value: 'path' }]
    : fields;
}

/** A response as it goes back: with the Vias that the request came with, which no peer behind us can have changed. */
export function forwardedResponse(response: SipResponse, request: SipRequest): SipResponse {
  const isVia = ({ name }: HeaderField): boolean => name === 'Via';
  const headers = [...request.headers.filter(isVia), ...response.headers.filter((field) => !isVia(field))];
  return { ...response, headers };
}

/** The value of Max-Forwards. */
export const hopsLeft = (request: SipRequest): number | undefined =>
  parseNumber(header(request, 'Max-Forwards') ?? '', 255);

/**
 * Our own values of Record-Route, topmost first. Each side gets an address that it reaches; where the two differ in
 * transport, address or port, there are two (RFC 5658 §5). A `sips` request wants `sips` ones (RFC 3261 §16.6, step 4).
 */
export function recordRoutes({ uri }: SipRequest, incoming: Flow, outgoing: Flow): string[] {
  const routeTo = (flow: Flow): string => contactOf(flow, isSips(uri)).replace('>', ';lr>');
  return [...new Set([routeTo(outgoing), routeTo(incoming)])];
}

/** The Route values of a request without ours on top, which have done their duty (RFC 3261 §16.4). */
export function remainingRoutes(context: EngineContext, request: SipRequest): string[] {
  const routes = headersOf(request, 'Route');
  const next = routes.findIndex((route) => !isOurs(context, uriOf(route)));
  return next < 0 ? [] : routes.slice(next);
}

const transports = ['udp', 'tcp', 'tls'] as const;

/** Whether a URI leads to one of our sockets; any transport will do, for not all write theirs. */
export function isOurs({ isOwn }: EngineContext, text: string): boolean {
  const uri = parseUri(text);
  if (uri === undefined || (uri.scheme !== 'sip' && uri.scheme !== 'sips')) return false;
  const address = uri.host.replace(/^\[|\]$/g, '');
  return transports.some((transport) =>
    isOwn({ transport, address, port: uri.port ?? defaultPort(uri.scheme === 'sips' ? 'tls' : transport) }),
  );
}
