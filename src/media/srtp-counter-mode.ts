import { AesCounter } from './aes-counter.ts';
import { HmacSha1 } from './hmac-sha1.ts';
import type { KeyPair, SessionKeys } from './srtp-keys.ts';
import { ENCRYPTED_FLAG, RTCP_CLEAR_BYTES, RTCP_INDEX_BYTES, type SrtpTransform } from './srtp-transform.ts';
import { readUint32, writeUint32 } from './words.ts';

/**
 * AES in counter mode with HMAC-SHA1: `AES_CM_128_HMAC_SHA1_80` and `_32`. The tag covers the packet and the rollover
 * counter, which is not sent; of SRTCP the packet, flag and index. Source: RFC 3711 §4.1.1, §4.2; RFC 4568 §6.2.
 */

/** Of SRTCP, in both suites (RFC 4568 §6.2.2). */
const RTCP_TAG_BYTES = 10;

export class CounterMode implements SrtpTransform {
  readonly rtpTagBytes: number;
  readonly rtcpTagBytes = RTCP_TAG_BYTES;
  readonly #rtp: Worker;
  readonly #rtcp: Worker;

  /** @param mostBytes the longest packet that will come */
  constructor(keys: KeyPair, rtpTagBytes: number, mostBytes: number) {
    this.rtpTagBytes = rtpTagBytes;
    this.#rtp = workerOf(keys.rtp, mostBytes);
    this.#rtcp = workerOf(keys.rtcp, mostBytes);
  }

  protectRtp(packet: Uint8Array, headerBytes: number, index: number, into: Uint8Array): number {
    const { counter, hmac } = this.#rtp;
    const { length } = packet;
    for (let i = 0; i < headerBytes; i++) into[i] = packet[i] as number;
    counter.apply(readUint32(packet, 8), index, packet, headerBytes, length, into);
    writeTag(hmac.digest(into, length, rollover(index)), into, length, this.rtpTagBytes);
    return length + this.rtpTagBytes;
  }

  unprotectRtp(packet: Uint8Array, length: number, headerBytes: number, index: number): number {
    const { counter, hmac } = this.#rtp;
    const end = length - this.rtpTagBytes;
    if (end < headerBytes) return -1;
    if (!isTag(hmac.digest(packet, end, rollover(index)), packet, end, this.rtpTagBytes)) return -1;
    counter.apply(readUint32(packet, 8), index, packet, headerBytes, end, packet);
    return end;
  }

  protectRtcp(packet: Uint8Array, index: number, into: Uint8Array): number {
    const { counter, hmac } = this.#rtcp;
    const { length } = packet;
    for (let i = 0; i < RTCP_CLEAR_BYTES; i++) into[i] = packet[i] as number;
    counter.apply(readUint32(packet, 4), index, packet, RTCP_CLEAR_BYTES, length, into);
    const word = (ENCRYPTED_FLAG | index) >>> 0;
    writeUint32(into, length, word);
    const tagAt = length + RTCP_INDEX_BYTES;
    writeTag(hmac.digest(into, length, word), into, tagAt, RTCP_TAG_BYTES);
    return tagAt + RTCP_TAG_BYTES;
  }

  rtcpIndex(packet: Uint8Array, length: number): number {
    const at = length - RTCP_TAG_BYTES - RTCP_INDEX_BYTES;
    return at < RTCP_CLEAR_BYTES ? -1 : readUint32(packet, at);
  }

  unprotectRtcp(packet: Uint8Array, length: number): number {
    const { counter, hmac } = this.#rtcp;
    const tagAt = length - RTCP_TAG_BYTES;
    const end = tagAt - RTCP_INDEX_BYTES;
    const word = readUint32(packet, end);
    if (!isTag(hmac.digest(packet, end, word), packet, tagAt, RTCP_TAG_BYTES)) return -1;
    if ((word & ENCRYPTED_FLAG) === 0) return end;
    counter.apply(readUint32(packet, 4), word & ~ENCRYPTED_FLAG, packet, RTCP_CLEAR_BYTES, end, packet);
    return end;
  }
}

interface Worker {
  counter: AesCounter;
  hmac: HmacSha1;
}

const workerOf = (keys: SessionKeys, mostBytes: number): Worker => ({
  counter: new AesCounter(keys.encryption, keys.salt, mostBytes),
  hmac: new HmacSha1(keys.authentication),
});

const rollover = (index: number): number => Math.floor(index / 0x10000);

function writeTag(digest: Uint8Array, into: Uint8Array, at: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) into[at + i] = digest[i] as number;
}

/** Takes the same time wherever the first difference is. */
function isTag(digest: Uint8Array, packet: Uint8Array, at: number, bytes: number): boolean {
  let difference = 0;
  for (let i = 0; i < bytes; i++) difference |= (digest[i] as number) ^ (packet[at + i] as number);
  return difference === 0;
}
