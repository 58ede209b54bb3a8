import { type CipherGCMTypes, createCipheriv, createDecipheriv } from 'node:crypto';
import type { KeyPair, SessionKeys } from './srtp-keys.ts';
import { ENCRYPTED_FLAG, RTCP_CLEAR_BYTES, RTCP_INDEX_BYTES, type SrtpTransform } from './srtp-transform.ts';
import { readUint32, writeUint32 } from './words.ts';

/**
 * AES-GCM: `AEAD_AES_128_GCM` and `AEAD_AES_256_GCM`. The tag is part of the ciphertext, so that flag and index of SRTCP
 * stand behind it. Node makes a cipher per packet here. Source: RFC 7714 §8, §9.
 */
const TAG_BYTES = 16;
const tagLength = { authTagLength: TAG_BYTES } as const;

export class Gcm implements SrtpTransform {
  /** The tag counts as ciphertext: a master key identifier stands behind it, at the very end (§8.2, §9.3). */
  readonly rtpTagBytes = 0;
  readonly rtcpTagBytes = 0;
  readonly #rtp: SessionKeys;
  readonly #rtcp: SessionKeys;
  readonly #cipher: CipherGCMTypes;
  readonly #nonce = new Uint8Array(12);
  readonly #rtcpClear = new Uint8Array(RTCP_CLEAR_BYTES + RTCP_INDEX_BYTES);

  constructor(keys: KeyPair) {
    this.#rtp = keys.rtp;
    this.#rtcp = keys.rtcp;
    this.#cipher = keys.rtp.encryption.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm';
  }

  protectRtp(packet: Uint8Array, headerBytes: number, index: number, into: Uint8Array): number {
    const header = packet.subarray(0, headerBytes);
    const nonce = this.#nonceOf(this.#rtp, readUint32(packet, 8), index);
    into.set(header);
    this.#encrypt(this.#rtp, nonce, header, packet.subarray(headerBytes), into, headerBytes);
    return packet.length + TAG_BYTES;
  }

  unprotectRtp(packet: Uint8Array, length: number, headerBytes: number, index: number): number {
    const end = length - TAG_BYTES;
    if (end < headerBytes) return -1;
    const nonce = this.#nonceOf(this.#rtp, readUint32(packet, 8), index);
    const plain = this.#decrypt(
      this.#rtp,
      nonce,
      packet.subarray(0, headerBytes),
      packet.subarray(headerBytes, length),
    );
    if (plain === undefined) return -1;
    packet.set(plain, headerBytes);
    return end;
  }

  protectRtcp(packet: Uint8Array, index: number, into: Uint8Array): number {
    const word = (ENCRYPTED_FLAG | index) >>> 0;
    const nonce = this.#nonceOf(this.#rtcp, readUint32(packet, 4), index);
    const clear = this.#clearOf(packet, word);
    into.set(packet.subarray(0, RTCP_CLEAR_BYTES));
    this.#encrypt(this.#rtcp, nonce, clear, packet.subarray(RTCP_CLEAR_BYTES), into, RTCP_CLEAR_BYTES);
    const end = packet.length + TAG_BYTES;
    writeUint32(into, end, word);
    return end + RTCP_INDEX_BYTES;
  }

  rtcpIndex(packet: Uint8Array, length: number): number {
    const least = RTCP_CLEAR_BYTES + TAG_BYTES + RTCP_INDEX_BYTES;
    return length < least ? -1 : readUint32(packet, length - RTCP_INDEX_BYTES);
  }

  unprotectRtcp(packet: Uint8Array, length: number): number {
    const word = this.rtcpIndex(packet, length);
    const nonce = this.#nonceOf(this.#rtcp, readUint32(packet, 4), word & ~ENCRYPTED_FLAG);
    const sealed = length - RTCP_INDEX_BYTES;
    const end = sealed - TAG_BYTES;
    if ((word & ENCRYPTED_FLAG) === 0) {
      // What is not encrypted is all associated data, with nothing but the tag behind it.
      const clear = Buffer.concat([packet.subarray(0, end), packet.subarray(sealed, length)]);
      return this.#decrypt(this.#rtcp, nonce, clear, packet.subarray(end, sealed)) ? end : -1;
    }
    const clear = this.#clearOf(packet, word);
    const plain = this.#decrypt(this.#rtcp, nonce, clear, packet.subarray(RTCP_CLEAR_BYTES, sealed));
    if (plain === undefined) return -1;
    packet.set(plain, RTCP_CLEAR_BYTES);
    return end;
  }

  /** Two zero bytes, SSRC and 48-bit index, xored with the salt (§8.1, §9.1). */
  #nonceOf({ salt }: SessionKeys, ssrc: number, index: number): Uint8Array {
    const nonce = this.#nonce.fill(0, 0, 2);
    writeUint32(nonce, 2, ssrc);
    writeUint32(nonce, 6, Math.floor(index / 0x10000));
    nonce[10] = index >>> 8;
    nonce[11] = index;
    for (let i = 0; i < nonce.length; i++) nonce[i] = (nonce[i] as number) ^ (salt[i] as number);
    return nonce;
  }

  #clearOf(packet: Uint8Array, word: number): Uint8Array {
    this.#rtcpClear.set(packet.subarray(0, RTCP_CLEAR_BYTES));
    writeUint32(this.#rtcpClear, RTCP_CLEAR_BYTES, word);
    return this.#rtcpClear;
  }

  /** Writes ciphertext and tag. */
  #encrypt(
    { encryption }: SessionKeys,
    nonce: Uint8Array,
    clear: Uint8Array,
    plain: Uint8Array,
    into: Uint8Array,
    at: number,
  ): void {
    const cipher = createCipheriv(this.#cipher, encryption, nonce, tagLength).setAAD(clear);
    into.set(cipher.update(plain), at);
    cipher.final();
    into.set(cipher.getAuthTag(), at + plain.length);
  }

  /** @param sealed ciphertext and tag */
  #decrypt(
    { encryption }: SessionKeys,
    nonce: Uint8Array,
    clear: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined {
    const decipher = createDecipheriv(this.#cipher, encryption, nonce, tagLength);
    decipher.setAAD(clear);
    const end = sealed.length - TAG_BYTES;
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}
