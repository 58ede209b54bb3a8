import type { Arrival } from './arrival.ts';
import type { SipMessage, SipParseError } from './message.ts';
import type { PeerCertificate } from './peer-certificate.ts';
import type { Direction } from './wire-message.ts';

/** What the engine sees of the network: flows that carry whole SIP messages, over UDP, TCP or TLS (RFC 3261 §18). */
export type TransportName = 'udp' | 'tcp' | 'tls';

export interface Endpoint {
  /** Numeric IPv4 or IPv6 address, without brackets; towards a peer also a host name, which the socket resolves. */
  address: string;
  port: number;
}

/** Where a message goes next, as it was resolved (RFC 3263). */
export interface Hop extends Endpoint {
  transport: TransportName;
  /** The name that the address was found by, which a TLS certificate has to be for; absent when it was numeric. */
  name?: string;
}

/** Where a transport is taken when no port is said (RFC 3261 §19.1.2). */
export const defaultPort = (transport: TransportName): number => (transport === 'tls' ? 5061 : 5060);

/** A way to one peer: a TCP or TLS connection, or a UDP socket and an address. */
export interface Flow {
  readonly transport: TransportName;
  /** TCP, TLS: nothing is lost or repeated, so retransmission timers rest. */
  readonly reliable: boolean;
  /** How the peer reaches us: advertised or bound address, for Via and Contact. */
  readonly local: Endpoint;
  /** Source address and port of what came by this flow; where `send` sends. */
  readonly remote: Endpoint;
  /** False once a connection is closed; always true over UDP. */
  readonly open: boolean;
  /** Of a peer that came to us over TLS and proved to be its holder; one of our own CAs vouches for it. */
  readonly certificate?: PeerCertificate | undefined;
  /** The peer takes requests by this connection as it would at this port of its own (RFC 5923 §8.2). */
  acceptAlias?(port: number): void;
  /** A connection: reads nothing more until `resume`. */
  pause?(): void;
  resume?(): void;
  /** A connection: calls `broken` should it be reset or cut, until the returned function is called. A close by the peer is none. */
  watch?(broken: (error: Error) => void): () => void;
  /** Never throws; a failure that can be known is told to `failed`, later. */
  send(bytes: Buffer, failed?: (error: Error) => void): void;
}

/** A bound socket. */
export interface Listener {
  readonly transport: TransportName;
  readonly local: Endpoint;
  /** A flow to a peer that did not come to us first; over TCP and TLS this connects where no open connection serves. */
  flowTo(hop: Hop): Flow;
  /** Closes the socket and its connections; resolves when nothing is left. */
  close(): Promise<void>;
}

/** What a listener tells the engine, and asks it. */
export interface TransportEvents {
  /** Everything that comes, before it is read, and that leaves, as it is on the wire. */
  onWire(direction: Direction, bytes: Buffer, flow: Flow): void;
  /** Handles a datagram, now or when there is time for it; absent: now. */
  arrive?(arrival: Arrival): void;
  message(message: SipMessage, flow: Flow): void;
  /** What came is not a message that can be used; `error.partial` may be answered, and then `answered` is called. */
  unreadable(error: SipParseError, flow: Flow, answered?: () => void): void;
  /** Is what comes from there looked at? Not from a banned source, but for its calls and what is open with it. */
  hears(address: string): boolean;
  /** May this source open a connection? False for a banned one without a call. */
  admits(address: string): boolean;
  /** Do the caps of one source not apply to it? */
  isExempt?(address: string): boolean;
  /** Does a call depend on this connection? Then it is not closed for being idle. */
  inUse(flow: Flow): boolean;
}

/** Limits of TCP and TLS connections, over all listening addresses. */
export interface StreamLimits {
  /** Connections that have brought a whole message or keep-alive, and those that we opened. */
  maxConnections: number;
  maxConnectionsPerSource: number;
  /** Connections that have not: in their handshake, or silent. They count apart, so that they take no place of others. */
  maxNewConnections: number;
  maxNewConnectionsPerSource: number;
  /** TLS handshakes that a source may begin within a second: each costs one or two ms of the engine's thread. */
  maxHandshakesPerSecond: number;
  /** ms that a TLS handshake may take, or a connection that we open. */
  handshakeMs: number;
  /** ms that a new connection then has for its first whole message or keep-alive. */
  firstMessageMs: number;
  /** ms that any later message may take from its first byte to its last. */
  messageMs: number;
  /** ms without a whole message or keep-alive until a connection that no call uses is closed. */
  idleMs: number;
  /** Bytes that wait to be sent to a peer that does not read; above it the connection is cut. */
  maxUnsentBytes: number;
}

export const defaultStreamLimits: StreamLimits = {
  maxConnections: 1_000,
  maxConnectionsPerSource: 50,
  maxNewConnections: 500,
  maxNewConnectionsPerSource: 50,
  maxHandshakesPerSecond: 25,
  handshakeMs: 5_000,
  firstMessageMs: 10_000,
  messageMs: 30_000,
  idleMs: 600_000,
  maxUnsentBytes: 262_144,
};

/** `udp/127.0.0.1:5060`, `tcp/[::1]:5060`: the form of drachtio's `authenticate` answer. */
export const hostport = (transport: TransportName, { address, port }: Endpoint): string =>
  `${transport}/${bracketed(address)}:${port}`;

/** An IPv6 address in brackets, as URIs and Via headers have it; anything else as it is. */
export const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);
