import type { RemoteInfo } from 'node:dgram';
import * as libc from './libc.ts';
import {
  isSameSocketAddress,
  MAX_SOCKET_ADDRESS_BYTES,
  NO_ADDRESS,
  readSocketAddress,
  writeSocketAddress,
} from './socket-address.ts';
import type { OnDatagram, UdpSocket } from './udp-pair.ts';

/** Packets that a socket hands out in one turn: a flood must not keep the others from being sent. */
export const MOST_IN_A_TURN = 32;
/** What the kernel was about to queue from another source when the socket was connected is there by then, ms. */
const SETTLED_MS = 20;

export interface LibcSocketEvents {
  onDatagram: OnDatagram;
  onError: () => void;
  /** It is to be closed. */
  onClose: () => void;
}

/** A UDP socket that does not block, by its file descriptor. */
export class LibcSocket implements UdpSocket {
  readonly #file: number;
  readonly #family: 4 | 6;
  readonly #events: LibcSocketEvents;
  /** Who it is connected to, as its packets tell. */
  #peer: RemoteInfo | undefined;
  /** When it was connected, monotonic ms. */
  #connectedAt = 0;
  /** Whatever comes is the peer's. */
  #settled = false;
  /** The source of the last packet, and its bytes. */
  #source: RemoteInfo | undefined;
  readonly #sourceBytes = Buffer.alloc(MAX_SOCKET_ADDRESS_BYTES);
  /** Where was sent to last, and its bytes. */
  #target = '';
  #targetBytes = NO_ADDRESS;

  constructor(file: number, family: 4 | 6, events: LibcSocketEvents) {
    this.#file = file;
    this.#family = family;
    this.#events = events;
  }

  get isConnected(): boolean {
    return this.#peer !== undefined;
  }

  connect(port: number, address: string): void {
    libc.connectSocket(this.#file, writeSocketAddress(this.#family, address, port));
    this.#peer = { address, family: this.#family === 6 ? 'IPv6' : 'IPv4', port, size: 0 };
    this.#connectedAt = performance.now();
  }

  disconnect(): void {
    libc.connectSocket(this.#file, NO_ADDRESS);
    this.#peer = undefined;
    this.#settled = false;
  }

  /** It has something: a packet, or an error. */
  take(): void {
    if (this.#peer === undefined) this.#hand(libc.readSocketFrom(this.#file));
    else if (this.#settled) this.#hand(libc.readSocket(this.#file), this.#peer);
    else this.#settle();
  }

  send(packet: Uint8Array, port: number, address: string): void {
    if (this.#write(packet, port, address) < 0) this.#events.onError();
  }

  close(done: () => void): void {
    this.#events.onClose();
    done();
  }

  /** What cannot be sent, or not to there, costs its packet, as an address that nobody answers at does. @returns below 0 where it failed */
  #write(packet: Uint8Array, port: number, address: string): number {
    try {
      if (this.#peer !== undefined) return libc.writeSocket(this.#file, packet);
      return libc.writeSocketTo(this.#file, packet, this.#addressOf(port, address));
    } catch {
      return libc.FAILED;
    }
  }

  /** What others sent before it was connected is still in its queue, and must not be taken for the peer's. */
  #settle(): void {
    for (let left = MOST_IN_A_TURN; left > 0; left--) {
      const length = libc.readSocketFrom(this.#file);
      this.#hand(length);
      if (length !== libc.WOULD_BLOCK) continue;
      this.#settled = this.#peer !== undefined && performance.now() - this.#connectedAt >= SETTLED_MS;
      return;
    }
  }

  /** @param peer who it is from; absent where the system told */
  #hand(length: number, peer?: RemoteInfo): void {
    if (length >= 0) this.#events.onDatagram(libc.datagram(length), peer ?? this.#readSource());
    else if (length === libc.FAILED) this.#events.onError();
  }

  #readSource(): RemoteInfo {
    if (this.#source === undefined || !isSameSocketAddress(libc.source, this.#sourceBytes)) {
      this.#source = readSocketAddress(libc.source);
      libc.source.copy(this.#sourceBytes);
    }
    return this.#source;
  }

  #addressOf(port: number, address: string): Uint8Array {
    const target = `${address} ${port}`;
    if (target !== this.#target) {
      this.#targetBytes = writeSocketAddress(this.#family, address, port);
      this.#target = target;
    }
    return this.#targetBytes;
  }
}
