import { type Cipheriv, createCipheriv } from 'node:crypto';
import { readUint32, writeUint32 } from './srtp-transform.ts';

/**
 * The key stream of AES-CM (RFC 3711 §4.1.1). One cipher in ECB mode encrypts the counters of a whole packet at once: a
 * cipher object in CTR mode per packet would cost more than twice as much.
 */
const BLOCK_BYTES = 16;

export class AesCounter {
  readonly #cipher: Cipheriv;
  readonly #salt: readonly [number, number, number, number];
  readonly #counters: Buffer;
  /** The part of `#counters` that the last packet needed; packets of a call are mostly of one length. */
  #used: Buffer;

  /** @param mostBytes the longest stream that will be asked for */
  constructor(key: Uint8Array, salt: Uint8Array, mostBytes: number) {
    this.#cipher = createCipheriv(`aes-${8 * key.length}-ecb`, key, null).setAutoPadding(false);
    const padded = new Uint8Array(BLOCK_BYTES);
    padded.set(salt);
    const word = (at: number) => readUint32(padded, at);
    this.#salt = [word(0), word(4), word(8), word(12)];
    this.#counters = Buffer.alloc(Math.ceil(mostBytes / BLOCK_BYTES) * BLOCK_BYTES);
    this.#used = this.#counters;
  }

  /**
   * @param index of the packet, up to 48 bits
   * @returns at least `bytes` bytes to xor with the packet's
   */
  stream(ssrc: number, index: number, bytes: number): Uint8Array {
    const size = Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
    if (size !== this.#used.length) this.#used = this.#counters.subarray(0, size);
    const counters = this.#used;
    const second = this.#salt[1] ^ ssrc;
    const third = this.#salt[2] ^ Math.floor(index / 0x10000);
    const fourth = this.#salt[3] ^ ((index & 0xffff) << 16);
    for (let at = 0, block = 0; at < size; at += BLOCK_BYTES, block++) {
      writeUint32(counters, at, this.#salt[0]);
      writeUint32(counters, at + 4, second);
      writeUint32(counters, at + 8, third);
      writeUint32(counters, at + 12, fourth ^ block);
    }
    return this.#cipher.update(counters);
  }
}
