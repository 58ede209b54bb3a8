import type { RemoteInfo } from 'node:dgram';
import * as libc from './libc.ts';
import {
  isSameSocketAddress,
  MAX_SOCKET_ADDRESS_BYTES,
  NO_ADDRESS,
  readSocketAddress,
  writeSocketAddress,
} from './socket-address.ts';
import type { OnDatagram } from './udp-pair.ts';

/** Packets that a socket hands out in one turn: a flood must not keep the others from being sent. */
export const MOST_IN_A_TURN = 32;
/** What the kernel was about to queue from another source when the socket was connected is there by then, ms. */
const SETTLED_MS = 20;

/** A UDP socket that does not block. Addresses are numeric. */
export class LibcSocket {
  readonly file: number;
  readonly #family: 4 | 6;
  readonly #onDatagram: OnDatagram;
  readonly #onError: () => void;
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

  constructor(file: number, family: 4 | 6, onDatagram: OnDatagram, onError: () => void) {
    this.file = file;
    this.#family = family;
    this.#onDatagram = onDatagram;
    this.#onError = onError;
  }

  get isConnected(): boolean {
    return this.#peer !== undefined;
  }

  /** @throws Error when the system refuses */
  connect(port: number, address: string): void {
    libc.connectSocket(this.file, writeSocketAddress(this.#family, address, port));
    this.#peer = { address, family: this.#family === 6 ? 'IPv6' : 'IPv4', port, size: 0 };
    this.#connectedAt = performance.now();
  }

  /** @throws Error when the system refuses */
  disconnect(): void {
    libc.connectSocket(this.file, NO_ADDRESS);
    this.#peer = undefined;
    this.#settled = false;
  }

  /** It has something: a packet, or an error. */
  take(): void {
    if (this.#peer === undefined) this.#hand(libc.readSocketFrom(this.file));
    else if (this.#settled) this.#handOf(this.#peer, libc.readSocket(this.file));
    else this.#settle();
  }

  send(packet: Uint8Array, port: number, address: string): void {
    const sent =
      this.#peer === undefined
        ? libc.writeSocketTo(this.file, packet, this.#addressOf(port, address))
        : libc.writeSocket(this.file, packet);
    if (sent < 0) this.#onError();
  }

  /** What others sent before it was connected is still in its queue, and must not be taken for the peer's. */
  #settle(): void {
    for (let left = MOST_IN_A_TURN; left > 0; left--) {
      const length = libc.readSocketFrom(this.file);
      this.#hand(length);
      if (length !== libc.WOULD_BLOCK) continue;
      this.#settled = this.#peer !== undefined && performance.now() - this.#connectedAt >= SETTLED_MS;
      return;
    }
  }

  #hand(length: number): void {
    if (length >= 0) this.#onDatagram(libc.datagram(length), this.#readSource());
    else if (length === libc.FAILED) this.#onError();
  }

  #handOf(peer: RemoteInfo, length: number): void {
    if (length >= 0) this.#onDatagram(libc.datagram(length), peer);
    else if (length === libc.FAILED) this.#onError();
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
