import { ReplayWindow } from './replay-window.ts';
import { rtpHeaderBytes } from './rtp-header.ts';
import { ENCRYPTED_FLAG, type SrtpTransform } from './srtp-transform.ts';
import { readUint16, readUint32 } from './words.ts';

/**
 * What a peer sends under one master key: its streams (SSRCs), each with its rollover counter and replay windows. Bad
 * packets change nothing, so that nobody without the key can disturb a call. A pure core.
 * Source: RFC 3711 §3.2.3, §3.3.
 */

/** Instead of a length. */
export const NOT_AUTHENTIC = -1;
export const REPLAYED = -2;

/** A stream is known once a packet of it was authentic; PBXs begin one at every transfer. The most silent one goes. */
const MOST_STREAMS = 32;

interface Stream {
  readonly rtp: ReplayWindow;
  readonly rtcp: ReplayWindow;
  /** Number of its last authentic packet among those of all streams. */
  lastPacket: number;
}

export class SrtpReceiver {
  readonly #transform: SrtpTransform;
  readonly #mki: Uint8Array;
  readonly #streams = new Map<number, Stream>();
  /** Where streams stood under the key before: some peers go on counting, some begin again (§3.3.1 wants the former). */
  readonly #earlier: ReadonlyMap<number, number>;
  #packets = 0;
  #ssrc = -1;
  #stream: Stream | undefined;

  /**
   * @param mki the identifier in each of the peer's packets, mostly empty
   * @param before the receiver of the key that the peer had until now
   */
  constructor(transform: SrtpTransform, mki: Uint8Array, before?: SrtpReceiver) {
    this.#transform = transform;
    this.#mki = mki;
    this.#earlier = before?.highest() ?? new Map();
  }

  /**
   * Checks and decrypts a packet in place; one that is not taken is left as it is, for the receiver of another key.
   * @returns its length as RTP, `NOT_AUTHENTIC` or `REPLAYED`
   */
  unprotectRtp(packet: Uint8Array): number {
    const { rtpTagBytes } = this.#transform;
    const length = this.#withoutMki(packet, rtpTagBytes);
    if (length < 0) return NOT_AUTHENTIC;
    const taken = this.#takeRtp(packet, length);
    if (taken < 0) this.#putMkiBack(packet, length, rtpTagBytes);
    return taken;
  }

  /** The same for RTCP. */
  unprotectRtcp(packet: Uint8Array): number {
    const { rtcpTagBytes } = this.#transform;
    const length = this.#withoutMki(packet, rtcpTagBytes);
    if (length < 0) return NOT_AUTHENTIC;
    const taken = this.#takeRtcp(packet, length);
    if (taken < 0) this.#putMkiBack(packet, length, rtcpTagBytes);
    return taken;
  }

  /** The highest index of each stream. */
  highest(): ReadonlyMap<number, number> {
    return new Map([...this.#streams].map(([ssrc, { rtp }]) => [ssrc, rtp.highest]));
  }

  #takeRtp(packet: Uint8Array, length: number): number {
    const headerBytes = rtpHeaderBytes(packet, length);
    if (headerBytes < 0) return NOT_AUTHENTIC;
    const ssrc = readUint32(packet, 8);
    const sequence = readUint16(packet, 2);
    const stream = this.#find(ssrc);
    if (stream !== undefined && stream.rtp.highest >= 0) {
      return this.#take(packet, length, headerBytes, ssrc, nearest(stream.rtp.highest, sequence));
    }
    return this.#takeFirst(packet, length, headerBytes, ssrc, sequence);
  }

  #takeRtcp(packet: Uint8Array, length: number): number {
    const word = this.#transform.rtcpIndex(packet, length);
    if (word < 0) return NOT_AUTHENTIC;
    const index = word % ENCRYPTED_FLAG;
    const ssrc = readUint32(packet, 4);
    const known = this.#find(ssrc);
    if (known && !known.rtcp.isNew(index)) return REPLAYED;
    const plain = this.#transform.unprotectRtcp(packet, length);
    if (plain < 0) return NOT_AUTHENTIC;
    const stream = known ?? this.#begin(ssrc);
    stream.rtcp.add(index);
    stream.lastPacket = ++this.#packets;
    return plain;
  }

  #take(packet: Uint8Array, length: number, headerBytes: number, ssrc: number, index: number): number {
    if (index < 0) return NOT_AUTHENTIC;
    const known = this.#find(ssrc);
    if (known && !known.rtp.isNew(index)) return REPLAYED;
    const plain = this.#transform.unprotectRtp(packet, length, headerBytes, index);
    if (plain < 0) return NOT_AUTHENTIC;
    const stream = known ?? this.#begin(ssrc);
    stream.rtp.add(index);
    stream.lastPacket = ++this.#packets;
    return plain;
  }

  /** A stream of which there was no RTP under this key: it goes on where it was under the last one, or begins. */
  #takeFirst(
    packet: Uint8Array,
    length: number,
    headerBytes: number,
    ssrc: number,
    sequence: number,
  ): number {
    const earlier = this.#earlier.get(ssrc) ?? -1;
    for (const index of earlier < 0 ? [sequence] : [nearest(earlier, sequence), sequence]) {
      const plain = this.#take(packet, length, headerBytes, ssrc, index);
      if (plain >= 0) return plain;
    }
    return NOT_AUTHENTIC;
  }

  #find(ssrc: number): Stream | undefined {
    if (ssrc !== this.#ssrc) {
      this.#ssrc = ssrc;
      this.#stream = this.#streams.get(ssrc);
    }
    return this.#stream;
  }

  #begin(ssrc: number): Stream {
    if (this.#streams.size >= MOST_STREAMS) this.#forgetOne();
    this.#stream = { rtp: new ReplayWindow(), rtcp: new ReplayWindow(), lastPacket: 0 };
    this.#ssrc = ssrc;
    this.#streams.set(ssrc, this.#stream);
    return this.#stream;
  }

  #forgetOne(): void {
    const [silent] = [...this.#streams].sort(([, a], [, b]) => a.lastPacket - b.lastPacket);
    if (silent) this.#streams.delete(silent[0]);
  }

  /**
   * Takes the master key identifier out of a packet, in place (§3.1). @param tagBytes that stand behind it
   * @returns the length without it, -1 when the packet does not have it
   */
  #withoutMki(packet: Uint8Array, tagBytes: number): number {
    const mki = this.#mki;
    if (mki.length === 0) return packet.length;
    const end = packet.length - tagBytes;
    const start = end - mki.length;
    if (start < 0 || !mki.every((byte, i) => packet[start + i] === byte)) return -1;
    packet.copyWithin(start, end);
    return packet.length - mki.length;
  }

  /** @param length of the packet without it */
  #putMkiBack(packet: Uint8Array, length: number, tagBytes: number): void {
    if (this.#mki.length === 0) return;
    const start = length - tagBytes;
    packet.copyWithin(start + this.#mki.length, start, length);
    packet.set(this.#mki, start);
  }
}

/** The index with this sequence number that is nearest to another one (appendix A); below 0 when there is none. */
function nearest(index: number, sequence: number): number {
  return index + (((sequence - index) << 16) >> 16);
}
