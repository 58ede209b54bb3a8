import type { RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { isUnspecified } from './ip-address.ts';

/** `datagram` is valid during the call only, and may be written to. */
export type OnDatagram = (datagram: Buffer, from: RemoteInfo) => void;

/**
 * A UDP socket that is bound, a port with two adapters: Node's own (`node-socket.ts`), and the C library's, at a fraction
 * of the CPU time (`libc-socket.ts`). Addresses are numeric.
 */
export interface UdpSocket {
  readonly isConnected: boolean;
  /** @throws the system's error */
  connect(port: number, address: string): void;
  /** @throws the system's error */
  disconnect(): void;
  /** To the peer while it is connected, whatever address is given. What fails is told to `onError`. */
  send(packet: Uint8Array, port: number, address: string): void;
  /** @param done called when its port is free */
  close(done: () => void): void;
}

/** How a media worker comes by its sockets. */
export interface UdpSockets {
  readonly kind: SocketsKind;
  /** ms after which `poll` is to be called again while there are legs; infinite where it need not be. */
  readonly pollMs: number;
  /** @throws the system's error (`EADDRINUSE`, …); nothing stays open then */
  bind(address: string, port: number, onDatagram: OnDatagram, onError: () => void): UdpSocket;
  /** Hands out what has come since. */
  poll(): void;
}

export type SocketsKind = 'libc' | 'node';

export interface UdpPairEvents {
  onRtp: OnDatagram;
  onRtcp: OnDatagram;
  onError: () => void;
}

/**
 * The two UDP sockets of a leg: RTP on the even port, RTCP on the odd one above.
 * The RTP socket may be connected to the peer: a packet then costs less, and the kernel drops strangers. The RTCP socket
 * never is: it sends once in 5 s, and the port that the peer's RTCP comes from is not known beforehand.
 */
export class UdpPair {
  readonly family: 4 | 6;
  readonly #rtp: UdpSocket;
  readonly #rtcp: UdpSocket;
  readonly #onError: () => void;
  /**
   * A socket that is bound to every address takes the address of its route when it is connected, and is deaf at the
   * others from then on; where the peer sends to is not ours to know.
   */
  #mayConnect: boolean;
  #closed = false;

  /** @throws the system's error (`EADDRINUSE`, …) when either port cannot be bound; nothing stays open then */
  constructor(sockets: UdpSockets, address: string, rtpPort: number, events: UdpPairEvents) {
    const { onRtp, onRtcp, onError } = events;
    this.family = isIPv6(address) ? 6 : 4;
    this.#mayConnect = !isUnspecified(address);
    this.#onError = onError;
    this.#rtp = sockets.bind(address, rtpPort, onRtp, onError);
    try {
      this.#rtcp = sockets.bind(address, rtpPort + 1, onRtcp, onError);
    } catch (error) {
      this.#rtp.close(() => undefined);
      throw error;
    }
  }

  /** Whether `connect` would change anything. */
  get connectable(): boolean {
    return this.#mayConnect && !this.#rtp.isConnected && !this.#closed;
  }

  /** From now on the RTP port hears this peer alone, and sends to nobody else. A failure leaves it as it was, for good. */
  connect(port: number, address: string): void {
    if (!this.connectable) return;
    try {
      this.#rtp.connect(port, address);
    } catch {
      this.#mayConnect = false;
      this.#onError();
    }
  }

  /** Idempotent. */
  disconnect(): void {
    if (!this.#rtp.isConnected || this.#closed) return;
    try {
      this.#rtp.disconnect();
    } catch {
      this.#onError();
    }
  }

  /**
   * Sends from the RTP port: to the peer while it is connected, whatever address is given. A failure is reported to
   * `onError` and costs this packet only; on a connected socket that is also what the peer's host answered to the
   * packet before (ECONNREFUSED).
   */
  send(packet: Uint8Array, port: number, address: string): void {
    if (!this.#closed) this.#rtp.send(packet, port, address);
  }

  /** Sends from the RTCP port, or from the RTP port where the two are one (RFC 5761): then to where RTP goes. */
  sendRtcp(packet: Uint8Array, port: number, address: string, muxed: boolean): void {
    if (!this.#closed) (muxed ? this.#rtp : this.#rtcp).send(packet, port, address);
  }

  /** @param done called when both sockets are closed; once, however often this is called */
  close(done: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    // Node sends a little later than asked, and what a socket still has when it is closed is lost: the last BYE.
    setImmediate(() => this.#rtp.close(() => this.#rtcp.close(done)));
  }
}
