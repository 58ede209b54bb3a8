import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { isUnspecified } from './ip-address.ts';
import { askForReceiveBuffer } from './receive-buffer.ts';

/**
 * The two UDP sockets of a leg, the thin adapter under `RtpLeg`: RTP on the even port, RTCP on the odd one above.
 * The RTP socket may be connected to the peer: a packet then costs less to send, and the kernel drops strangers. The
 * RTCP socket never is: it sends once in 5 s, and the port that the peer's RTCP comes from is not known beforehand.
 */

export type OnDatagram = (datagram: Buffer, from: RemoteInfo) => void;

export interface UdpPairEvents {
  onRtp: OnDatagram;
  onRtcp: OnDatagram;
  onError: () => void;
}

/** Addresses are numeric here: answered at once, so that a packet leaves within `send` and not a tick later. */
function numericLookup(
  address: string,
  family: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, family as number);
}

export class UdpPair {
  readonly family: 4 | 6;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #onError: () => void;
  readonly #onSent: (error: Error | null) => void;
  /**
   * A socket that is bound to every address takes the address of its route when it is connected, and is deaf at the
   * others from then on; where the peer sends to is not ours to know.
   */
  #mayConnect: boolean;
  #connected = false;
  #closed = false;

  /** @throws the system's error (`EADDRINUSE`, …) when either port cannot be bound; nothing stays open then */
  constructor(address: string, rtpPort: number, events: UdpPairEvents) {
    this.family = isIPv6(address) ? 6 : 4;
    this.#mayConnect = !isUnspecified(address);
    this.#onError = events.onError;
    this.#onSent = (error) => {
      if (error) events.onError();
    };
    this.#rtp = this.#bind(address, rtpPort, events.onRtp, events.onError);
    try {
      this.#rtcp = this.#bind(address, rtpPort + 1, events.onRtcp, events.onError);
    } catch (error) {
      this.#rtp.close();
      throw error;
    }
  }

  /** Whether `connect` would change anything. */
  get connectable(): boolean {
    return this.#mayConnect && !this.#connected && !this.#closed;
  }

  /** From now on the RTP port hears this peer alone, and sends to nobody else. A failure leaves it as it was, for good. */
  connect(port: number, address: string): void {
    if (!this.connectable) return;
    try {
      this.#rtp.connectSync(port, address);
      this.#connected = true;
    } catch {
      this.#mayConnect = false;
      this.#onError();
    }
  }

  /** Idempotent. */
  disconnect(): void {
    if (!this.#connected || this.#closed) return;
    try {
      this.#rtp.disconnect();
      this.#connected = false;
    } catch {
      this.#onError();
    }
  }

  /**
   * Sends from the RTP port: to the peer while it is connected, whatever address is given. A failure is reported to
   * `onError` and costs this packet only; on a connected socket that is also what the peer's host answered to the
   * packet before (ECONNREFUSED).
   */
  send(packet: Buffer, port: number, address: string): void {
    if (this.#closed) return;
    if (this.#connected) this.#rtp.send(packet, this.#onSent);
    else this.#rtp.send(packet, port, address, this.#onSent);
  }

  /** Sends from the RTCP port, or from the RTP port where the two are one (RFC 5761): then to where RTP goes. */
  sendRtcp(packet: Buffer, port: number, address: string, muxed: boolean): void {
    if (muxed) this.send(packet, port, address);
    else if (!this.#closed) this.#rtcp.send(packet, port, address, this.#onSent);
  }

  /** @param done called when both sockets are closed; once, however often this is called */
  close(done: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    // Node sends a little later than asked, and what a socket still has when it is closed is lost: the last BYE.
    setImmediate(() => this.#rtp.close(() => this.#rtcp.close(done)));
  }

  #bind(address: string, port: number, onMessage: OnDatagram, onError: () => void): Socket {
    const socket = createSocket({ type: this.family === 6 ? 'udp6' : 'udp4', lookup: numericLookup });
    socket.on('error', onError);
    socket.on('message', onMessage);
    try {
      socket.bindSync({ address, port });
    } catch (error) {
      socket.close();
      throw error;
    }
    askForReceiveBuffer(socket);
    return socket;
  }
}
