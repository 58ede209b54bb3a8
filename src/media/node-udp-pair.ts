import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { isUnspecified } from './ip-address.ts';
import { askForReceiveBuffer } from './receive-buffer.ts';
import type { OnDatagram, UdpPair, UdpPairEvents, UdpSockets } from './udp-pair.ts';

/** The sockets of a leg as Node has them: everywhere, and at the price of an event, a buffer and a request per packet. */

/** Addresses are numeric here: answered at once, so that a packet leaves within `send` and not a tick later. */
function numericLookup(
  address: string,
  family: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, family as number);
}

/** They tell of what comes by themselves. */
export const nodeSockets: UdpSockets = {
  kind: 'node',
  pollMs: Number.POSITIVE_INFINITY,
  open: (address, rtpPort, events) => new NodeUdpPair(address, rtpPort, events),
  poll: () => undefined,
};

class NodeUdpPair implements UdpPair {
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

  get connectable(): boolean {
    return this.#mayConnect && !this.#connected && !this.#closed;
  }

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

  disconnect(): void {
    if (!this.#connected || this.#closed) return;
    try {
      this.#rtp.disconnect();
      this.#connected = false;
    } catch {
      this.#onError();
    }
  }

  send(packet: Uint8Array, port: number, address: string): void {
    if (this.#closed) return;
    if (this.#connected) this.#rtp.send(packet, this.#onSent);
    else this.#rtp.send(packet, port, address, this.#onSent);
  }

  sendRtcp(packet: Uint8Array, port: number, address: string, muxed: boolean): void {
    if (muxed) this.send(packet, port, address);
    else if (!this.#closed) this.#rtcp.send(packet, port, address, this.#onSent);
  }

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
