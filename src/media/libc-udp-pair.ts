import { isIPv6 } from 'node:net';
import { isUnspecified } from './ip-address.ts';
import * as libc from './libc.ts';
import { LibcSocket, MOST_IN_A_TURN } from './libc-socket.ts';
import type { OpenFiles } from './open-files.ts';
import { RECEIVE_BUFFER_BYTES } from './receive-buffer.ts';
import { writeSocketAddress } from './socket-address.ts';
import type { OnDatagram, UdpPair, UdpPairEvents, UdpSockets } from './udp-pair.ts';

/**
 * The sockets of a leg by the C library's own calls. Nothing tells of a packet: a worker asks all its sockets at once, every
 * few ms, and takes what is there. A packet then costs its system call and no event, buffer or request of its own.
 */

/** Half of it is what a packet waits for here on average. */
const POLL_MS = 2;
/** All of a worker's sockets. */
export class LibcSockets implements UdpSockets {
  readonly kind = 'libc';
  readonly pollMs = POLL_MS;
  readonly #files: OpenFiles;
  readonly #poll: number;
  /** By file descriptor. */
  readonly #sockets: (LibcSocket | undefined)[] = [];

  /** @throws the system's error */
  constructor(files: OpenFiles) {
    this.#files = files;
    this.#poll = libc.openPoll();
    files.add(this.#poll);
  }

  open(address: string, rtpPort: number, events: UdpPairEvents): UdpPair {
    return new LibcUdpPair(this, address, rtpPort, events);
  }

  poll(): void {
    for (let round = 0; round < MOST_IN_A_TURN; round++) {
      const count = libc.pollSockets(this.#poll);
      for (let i = 0; i < count; i++) this.#sockets[libc.ready(i)]?.take();
      if (count === 0) return;
    }
  }

  /** @throws the system's error; nothing stays open then */
  bind(address: string, port: number, onDatagram: OnDatagram, onError: () => void): LibcSocket {
    const family = isIPv6(address) ? 6 : 4;
    const file = libc.openSocket(family);
    this.#files.add(file);
    try {
      libc.askForReceiveBytes(file, RECEIVE_BUFFER_BYTES);
      libc.bindSocket(file, writeSocketAddress(family, address, port));
      libc.addToPoll(this.#poll, file);
    } catch (error) {
      this.close(file);
      throw error;
    }
    const socket = new LibcSocket(file, family, onDatagram, onError);
    this.#sockets[file] = socket;
    return socket;
  }

  close(file: number): void {
    this.#sockets[file] = undefined;
    this.#files.remove(file);
    libc.closeFile(file);
  }
}

class LibcUdpPair implements UdpPair {
  readonly family: 4 | 6;
  readonly #sockets: LibcSockets;
  readonly #rtp: LibcSocket;
  readonly #rtcp: LibcSocket;
  readonly #onError: () => void;
  /**
   * A socket that is bound to every address takes the address of its route when it is connected, and is deaf at the
   * others from then on; where the peer sends to is not ours to know.
   */
  #mayConnect: boolean;
  #closed = false;

  constructor(sockets: LibcSockets, address: string, rtpPort: number, events: UdpPairEvents) {
    const { onRtp, onRtcp, onError } = events;
    this.family = isIPv6(address) ? 6 : 4;
    this.#sockets = sockets;
    this.#mayConnect = !isUnspecified(address);
    this.#onError = onError;
    this.#rtp = sockets.bind(address, rtpPort, onRtp, onError);
    try {
      this.#rtcp = sockets.bind(address, rtpPort + 1, onRtcp, onError);
    } catch (error) {
      sockets.close(this.#rtp.file);
      throw error;
    }
  }

  get connectable(): boolean {
    return this.#mayConnect && !this.#rtp.isConnected && !this.#closed;
  }

  connect(port: number, address: string): void {
    if (!this.connectable) return;
    try {
      this.#rtp.connect(port, address);
    } catch {
      this.#mayConnect = false;
      this.#onError();
    }
  }

  disconnect(): void {
    if (!this.#rtp.isConnected || this.#closed) return;
    try {
      this.#rtp.disconnect();
    } catch {
      this.#onError();
    }
  }

  send(packet: Uint8Array, port: number, address: string): void {
    if (!this.#closed) this.#sendFrom(this.#rtp, packet, port, address);
  }

  sendRtcp(packet: Uint8Array, port: number, address: string, muxed: boolean): void {
    if (!this.#closed) this.#sendFrom(muxed ? this.#rtp : this.#rtcp, packet, port, address);
  }

  close(done: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sockets.close(this.#rtp.file);
    this.#sockets.close(this.#rtcp.file);
    done();
  }

  /** An address that cannot be sent to costs its packet, as one that nobody answers at does. */
  #sendFrom(socket: LibcSocket, packet: Uint8Array, port: number, address: string): void {
    try {
      socket.send(packet, port, address);
    } catch {
      this.#onError();
    }
  }
}
