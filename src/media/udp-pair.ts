import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/**
 * The two UDP sockets of a leg, the thin adapter under `RtpLeg`: RTP on the even port, RTCP on the odd one above.
 */

/** Asked for, not insisted on: seconds of RTP, so that a stall of this process loses no speech. */
const RECEIVE_BUFFER_BYTES = 256 * 1024;

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
  readonly #onSent: (error: Error | null) => void;
  #closed = false;

  /** @throws the system's error (`EADDRINUSE`, …) when either port cannot be bound; nothing stays open then */
  constructor(address: string, rtpPort: number, events: UdpPairEvents) {
    this.family = isIPv6(address) ? 6 : 4;
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

  /** Sends from the RTP port. A failure is reported to `onError` and costs this packet only. */
  send(packet: Buffer, port: number, address: string): void {
    if (!this.#closed) this.#rtp.send(packet, port, address, this.#onSent);
  }

  /** Sends from the RTCP port, or from the RTP port where the two are one (RFC 5761). */
  sendRtcp(packet: Buffer, port: number, address: string, muxed: boolean): void {
    if (!this.#closed) (muxed ? this.#rtp : this.#rtcp).send(packet, port, address, this.#onSent);
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
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch {
      // The system's own size has to do.
    }
    return socket;
  }
}
