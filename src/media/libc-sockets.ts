import { isIPv6 } from 'node:net';
import * as libc from './libc.ts';
import { LibcSocket, MOST_IN_A_TURN } from './libc-socket.ts';
import type { OpenFiles } from './open-files.ts';
import { RECEIVE_BUFFER_BYTES } from './receive-buffer.ts';
import { writeSocketAddress } from './socket-address.ts';
import type { OnDatagram, UdpSockets } from './udp-pair.ts';

/** Half of it is what a packet waits for here on average. */
const POLL_MS = 2;

/**
 * All of a worker's sockets, by the C library's own calls. Nothing tells of a packet: a worker asks all its sockets at
 * once, every few ms, and takes what is there. A packet then costs its system call and no event, buffer or request of its
 * own.
 */
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

  bind(address: string, port: number, onDatagram: OnDatagram, onError: () => void): LibcSocket {
    const family = isIPv6(address) ? 6 : 4;
    const file = libc.openSocket(family);
    this.#files.add(file);
    try {
      libc.askForReceiveBytes(file, RECEIVE_BUFFER_BYTES);
      libc.bindSocket(file, writeSocketAddress(family, address, port));
      libc.addToPoll(this.#poll, file);
    } catch (error) {
      this.#close(file);
      throw error;
    }
    const socket = new LibcSocket(file, family, { onDatagram, onError, onClose: () => this.#close(file) });
    this.#sockets[file] = socket;
    return socket;
  }

  poll(): void {
    for (let round = 0; round < MOST_IN_A_TURN; round++) {
      const count = libc.pollSockets(this.#poll);
      for (let i = 0; i < count; i++) this.#sockets[libc.ready(i)]?.take();
      if (count === 0) return;
    }
  }

  #close(file: number): void {
    this.#sockets[file] = undefined;
    this.#files.remove(file);
    libc.closeFile(file);
  }
}
