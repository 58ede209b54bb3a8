import type { RemoteInfo } from 'node:dgram';

/**
 * The two UDP sockets of a leg, a port with two adapters: Node's own sockets (`node-udp-pair.ts`), and the C library's,
 * at a fraction of the CPU time (`libc-udp-pair.ts`). RTP is on the even port, RTCP on the odd one above.
 * The RTP socket may be connected to the peer: a packet then costs less, and the kernel drops strangers. The RTCP socket
 * never is: it sends once in 5 s, and the port that the peer's RTCP comes from is not known beforehand.
 */

/** `datagram` is valid during the call only, and may be written to. */
export type OnDatagram = (datagram: Buffer, from: RemoteInfo) => void;

export interface UdpPairEvents {
  onRtp: OnDatagram;
  onRtcp: OnDatagram;
  onError: () => void;
}

/** Addresses are numeric. */
export interface UdpPair {
  readonly family: 4 | 6;
  /** Whether `connect` would change anything. */
  readonly connectable: boolean;
  /** From now on the RTP port hears this peer alone, and sends to nobody else. A failure leaves it as it was, for good. */
  connect(port: number, address: string): void;
  /** Idempotent. */
  disconnect(): void;
  /**
   * Sends from the RTP port: to the peer while it is connected, whatever address is given. A failure is reported to
   * `onError` and costs this packet only; on a connected socket that is also what the peer's host answered to the
   * packet before (ECONNREFUSED).
   */
  send(packet: Uint8Array, port: number, address: string): void;
  /** Sends from the RTCP port, or from the RTP port where the two are one (RFC 5761): then to where RTP goes. */
  sendRtcp(packet: Uint8Array, port: number, address: string, muxed: boolean): void;
  /** @param done called when both sockets are closed; once, however often this is called */
  close(done: () => void): void;
}

/** How a media worker comes by its sockets. */
export interface UdpSockets {
  readonly kind: SocketsKind;
  /** ms after which `poll` is to be called again while there are legs; infinite where it need not be. */
  readonly pollMs: number;
  /** @throws the system's error (`EADDRINUSE`, …) when either port cannot be bound; nothing stays open then */
  open(address: string, rtpPort: number, events: UdpPairEvents): UdpPair;
  /** Hands out what has come since. */
  poll(): void;
}

export type SocketsKind = 'libc' | 'node';
