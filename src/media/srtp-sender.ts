import { rtpHeaderBytes } from './rtp-header.ts';
import type { SrtpTransform } from './srtp-transform.ts';
import { readUint16, readUint32 } from './words.ts';

/**
 * What we send under one master key. The rollover counter counts up with the sequence numbers, which must never go
 * back: an index that is used twice would give the speech away. A pure core. Source: RFC 3711 §3.3.1, §9.1.
 */

/** A packet's buffer is used again after so many: the kernel may take a moment to copy it. */
const BUFFERS = 4;
/** Tags and the index of SRTCP, at most. */
const MOST_ADDED = 20;

export class SrtpSender {
  readonly #transform: SrtpTransform;
  readonly #buffers: Buffer[];
  /** What `protectRtp` gave last from each buffer: packets of a call are mostly of one length. */
  readonly #views: Buffer[];
  #next = 0;
  #ssrc = -1;
  #sequence = -1;
  #rollover = 0;
  #rtcpIndex = 0;

  /** @param mostBytes the longest packet that will come */
  constructor(transform: SrtpTransform, mostBytes: number) {
    this.#transform = transform;
    this.#buffers = Array.from({ length: BUFFERS }, () => Buffer.alloc(mostBytes + MOST_ADDED));
    this.#views = [...this.#buffers];
  }

  /** @returns the protected form of a packet; its bytes are good for four packets */
  protectRtp(packet: Uint8Array): Buffer {
    const ssrc = readUint32(packet, 8);
    const sequence = readUint16(packet, 2);
    if (ssrc !== this.#ssrc) this.#rollover = 0;
    else if (sequence < this.#sequence) this.#rollover++;
    this.#ssrc = ssrc;
    this.#sequence = sequence;
    const index = this.#rollover * 0x10000 + sequence;
    const into = this.#take();
    return this.#view(this.#transform.protectRtp(packet, rtpHeaderBytes(packet, packet.length), index, into));
  }

  /** The same for RTCP, compound as it is. */
  protectRtcp(packet: Uint8Array): Buffer {
    const into = this.#take();
    return this.#view(this.#transform.protectRtcp(packet, this.#rtcpIndex++, into));
  }

  #take(): Buffer {
    this.#next = (this.#next + 1) % BUFFERS;
    return this.#buffers[this.#next] as Buffer;
  }

  #view(length: number): Buffer {
    const last = this.#views[this.#next] as Buffer;
    if (last.length === length) return last;
    const view = (this.#buffers[this.#next] as Buffer).subarray(0, length);
    this.#views[this.#next] = view;
    return view;
  }
}
