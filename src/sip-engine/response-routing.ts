import { isIP } from 'node:net';
import type { SipRequest } from './message.ts';
import type { Endpoint, Flow, Hop } from './transport.ts';
import { formatVia, type Via } from './via.ts';

const DEFAULT_PORT = 5060;

/** Where the answers to a request go, and whether its sender listens on the port that it sends from. */
export interface ReturnPath {
  target: Endpoint;
  symmetric: boolean;
}

/**
 * RFC 3261 §18.2.2 and RFC 3581 §4. With `rport` answers go to the source. Without it they go to the port of sent-by;
 * except when sent-by is an address that is not the source's, for then a NAT stands between, and only the source
 * port leads through it. `maddr` is ignored: it would let a sender aim our answers at others.
 */
export function returnPath(via: Via, source: Endpoint): ReturnPath {
  const sentBy = via.host.replace(/^\[|\]$/g, '');
  const behindNat = isIP(sentBy) !== 0 && sentBy !== source.address;
  if (via.params.has('rport') || behindNat) return { target: source, symmetric: true };
  const port = via.port ?? DEFAULT_PORT;
  return { target: { address: source.address, port }, symmetric: port === source.port };
}

/** Notes the source of a request in its topmost Via, as `received` and `rport` (which drachtio fills in always). */
export function stampVia(request: SipRequest, via: Via, source: Endpoint): void {
  const rest = request.headers.filter((field) => field.name === 'Via');
  via.params.set('rport', `${source.port}`);
  if (via.host.replace(/^\[|\]$/g, '') !== source.address) via.params.set('received', source.address);
  const first = rest[0];
  if (first === undefined) return;
  const behind = first.value.indexOf(',');
  if (behind !== -1) request.headers.splice(request.headers.indexOf(first) + 1, 0, restOf(first.value));
  first.value = formatVia(via);
}

/** What follows the first value of a Via that is a comma list; Via values hold no quoted commas. */
const restOf = (value: string): { name: string; value: string } => ({
  name: 'Via',
  value: value.slice(value.indexOf(',') + 1).trim(),
});

/** The flow that answers take: over TCP the connection while it is open, else a new one to sent-by. */
export function replyFlow(path: ReturnPath, flow: Flow, connect: (hop: Hop) => Flow): Flow {
  const { address, port } = path.target;
  const same = flow.reliable ? flow.open : address === flow.remote.address && port === flow.remote.port;
  return same ? flow : connect({ ...path.target, transport: flow.transport });
}

/** `X-Kallglot-Peer-Certificate` is the engine's to set; what the network sends of it goes. */
export function removeCertificateHeader(request: SipRequest): void {
  request.headers = request.headers.filter(
    ({ name }) => name.toLowerCase() !== 'x-kallglot-peer-certificate',
  );
}
