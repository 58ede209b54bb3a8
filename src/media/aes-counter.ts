import { type Cipheriv, createCipheriv } from 'node:crypto';
import { readUint32, writeUint32 } from './words.ts';

/**
 * AES in counter mode for SRTP (RFC 3711 §4.1.1). One cipher in ECB mode encrypts the counters of the next packets at
 * once, whose indices are known beforehand: a cipher object per packet would cost several times as much.
 */
const BLOCK_BYTES = 16;
/** Packets, and bytes of key stream if they are long, that are made at once. */
const MOST_AHEAD = 8;
const MOST_BYTES = 4096;

export class AesCounter {
  readonly #cipher: Cipheriv;
  readonly #salt: readonly [number, number, number, number];
  readonly #counters: Buffer;
  /** The part of `#counters` that was used last. */
  #used: Buffer;
  /** Key stream of so many packets from `#first` on, each with room for `#room` bytes. */
  #stream: Uint8Array = new Uint8Array(0);
  #packets = 0;
  #room = 0;
  #ssrc = -1;
  #first = 0;

  /** @param longest bytes that a packet will have */
  constructor(key: Uint8Array, salt: Uint8Array, longest: number) {
    this.#cipher = createCipheriv(`aes-${8 * key.length}-ecb`, key, null).setAutoPadding(false);
    const padded = new Uint8Array(BLOCK_BYTES);
    padded.set(salt);
    const word = (at: number) => readUint32(padded, at);
    this.#salt = [word(0), word(4), word(8), word(12)];
    this.#counters = Buffer.alloc(Math.max(MOST_BYTES, wholeBlocks(longest)));
    this.#used = this.#counters;
  }

  /**
   * Encrypts or decrypts `packet[from, to)` into `into`, which may be the packet itself.
   * @param index of the packet, up to 48 bits
   * @throws RangeError when the packet is longer than was said: what has no key stream would go out in the clear
   */
  apply(ssrc: number, index: number, packet: Uint8Array, from: number, to: number, into: Uint8Array): void {
    const ahead = index - this.#first;
    const known = ssrc === this.#ssrc && ahead >= 0 && ahead < this.#packets && to - from <= this.#room;
    if (!known) this.#make(ssrc, index, to - from);
    const stream = this.#stream;
    const start = known ? ahead * this.#room : 0;
    for (let i = from; i < to; i++) into[i] = (packet[i] as number) ^ (stream[start + i - from] as number);
  }

  #make(ssrc: number, index: number, bytes: number): void {
    this.#room = Math.max(this.#room, wholeBlocks(bytes));
    if (this.#room > this.#counters.length)
      throw new RangeError(`${bytes} bytes are too many for one packet`);
    this.#packets = Math.max(1, Math.min(MOST_AHEAD, Math.floor(MOST_BYTES / this.#room)));
    this.#ssrc = ssrc;
    this.#first = index;
    const size = this.#packets * this.#room;
    if (size !== this.#used.length) this.#used = this.#counters.subarray(0, size);
    for (let n = 0; n < this.#packets; n++) this.#count(ssrc, index + n, n * this.#room);
    this.#stream = this.#cipher.update(this.#used);
  }

  /** Writes the counters of one packet. */
  #count(ssrc: number, index: number, from: number): void {
    const counters = this.#used;
    const second = this.#salt[1] ^ ssrc;
    const third = this.#salt[2] ^ Math.floor(index / 0x10000);
    const fourth = this.#salt[3] ^ ((index & 0xffff) << 16);
    const to = from + this.#room;
    for (let at = from, block = 0; at < to; at += BLOCK_BYTES, block++) {
      writeUint32(counters, at, this.#salt[0]);
      writeUint32(counters, at + 4, second);
      writeUint32(counters, at + 8, third);
      writeUint32(counters, at + 12, fourth ^ block);
    }
  }
}

const wholeBlocks = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
