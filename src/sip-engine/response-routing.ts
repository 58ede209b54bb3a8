import type { SipRequest } from './message.ts';
import { numericAddress } from './numeric-address.ts';
import { certificateHeader } from './peer-certificate.ts';
import { defaultPort, type Endpoint, type Flow, type Hop } from './transport.ts';
import { formatVia, type Via } from './via.ts';

/** Where the answers to a request go, and whether its sender listens on the port that it sends from. */
export interface ReturnPath {
  target: Hop;
  symmetric: boolean;
}

/**
 * RFC 3261 §18.2.2 and RFC 3581 §4. With `rport` answers go to the source. Without it they go to the port of sent-by;
 * except when sent-by is an address that is not the source's, for then a NAT stands between, and only the source
 * port leads through it. `maddr` is ignored: it would let a sender aim our answers at others.
 */
export function returnPath(via: Via, { remote, transport }: Pick<Flow, 'remote' | 'transport'>): ReturnPath {
  const sentBy = numericAddress(via.host);
  const behindNat = sentBy !== undefined && sentBy !== remote.address;
  const symmetric = via.params.has('rport') || behindNat;
  const port = symmetric ? remote.port : (via.port ?? defaultPort(transport));
  const name = sentBy === undefined && { name: via.host };
  const target = { address: remote.address, port, transport, ...name };
  return { target, symmetric: port === remote.port };
}

/** Notes the source of a request in its topmost Via, as `received` and `rport` (which drachtio fills in always). */
export function stampVia(request: SipRequest, via: Via, source: Endpoint): void {
  const rest = request.headers.filter((field) => field.name === 'Via');
  via.params.set('rport', `${source.port}`);
  if (numericAddress(via.host) !== source.address) via.params.set('received', source.address);
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

/** The flow that answers take: over TCP and TLS the connection while it is open, else a new one to sent-by. */
export function replyFlow(path: ReturnPath, flow: Flow, connect: (hop: Hop, near: Flow) => Flow): Flow {
  const { address, port } = path.target;
  const same = flow.reliable ? flow.open : address === flow.remote.address && port === flow.remote.port;
  return same ? flow : connect(path.target, flow);
}

export const CERTIFICATE_HEADER = 'X-Kallglot-Peer-Certificate';

/** The header is the engine's to set (decisions §9): what the network sends of it goes. */
export function setCertificateHeader(request: SipRequest, { certificate }: Flow): void {
  request.headers = request.headers.filter(
    ({ name }) => name.toLowerCase() !== CERTIFICATE_HEADER.toLowerCase(),
  );
  if (certificate === undefined) return;
  request.headers.push({ name: CERTIFICATE_HEADER, value: certificateHeader(certificate) });
}
