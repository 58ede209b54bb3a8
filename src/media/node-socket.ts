import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { askForReceiveBuffer } from './receive-buffer.ts';
import type { OnDatagram, UdpSocket, UdpSockets } from './udp-pair.ts';

/** Addresses are numeric here: answered at once, so that a packet leaves within `send` and not a tick later. */
function numericLookup(
  address: string,
  family: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, family as number);
}

/** A socket as Node has it: everywhere, and at the price of an event, a buffer and a request per packet. */
class NodeSocket implements UdpSocket {
  readonly #socket: Socket;
  readonly #onSent: (error: Error | null) => void;
  #isConnected = false;

  /** @throws the system's error; nothing stays open then */
  constructor(address: string, port: number, onDatagram: OnDatagram, onError: () => void) {
    this.#onSent = (error) => {
      if (error) onError();
    };
    this.#socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', lookup: numericLookup });
    this.#socket.on('error', onError);
    this.#socket.on('message', onDatagram);
    try {
      this.#socket.bindSync({ address, port });
    } catch (error) {
      this.#socket.close();
      throw error;
    }
    askForReceiveBuffer(this.#socket);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  connect(port: number, address: string): void {
    this.#socket.connectSync(port, address);
    this.#isConnected = true;
  }

  disconnect(): void {
    this.#socket.disconnect();
    this.#isConnected = false;
  }

  send(packet: Uint8Array, port: number, address: string): void {
    if (this.#isConnected) this.#socket.send(packet, this.#onSent);
    else this.#socket.send(packet, port, address, this.#onSent);
  }

  close(done: () => void): void {
    this.#socket.close(done);
  }
}

/** They tell of what comes by themselves. */
export const nodeSockets: UdpSockets = {
  kind: 'node',
  pollMs: Number.POSITIVE_INFINITY,
  bind: (address, port, onDatagram, onError) => new NodeSocket(address, port, onDatagram, onError),
  poll: () => undefined,
};
