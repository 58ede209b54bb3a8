/**
 * The keys of one direction at work on packets. Nothing is known here of streams, order or replay.
 * `into` has room for the packet and 20 bytes more; lengths are in bytes. Source: RFC 3711 §3.
 */
export interface SrtpTransform {
  /** Bytes at the end of a packet behind which a master key identifier stands. */
  readonly rtpTagBytes: number;
  readonly rtcpTagBytes: number;

  /**
   * Writes the protected form of `packet` into `into`.
   * @param headerBytes what stays in the clear
   * @param index rollover counter and sequence number, 48 bits
   * @returns its length
   */
  protectRtp(packet: Uint8Array, headerBytes: number, index: number, into: Uint8Array): number;

  /**
   * Checks `packet[0, length)` and then decrypts it in place; one that is not authentic is left as it is.
   * @returns the length of the RTP packet, -1 when it is not authentic
   */
  unprotectRtp(packet: Uint8Array, length: number, headerBytes: number, index: number): number;

  /** @param index of SRTCP, 31 bits */
  protectRtcp(packet: Uint8Array, index: number, into: Uint8Array): number;

  /** Index of SRTCP, and in the highest bit whether the packet is encrypted; -1 when it is too short for any. */
  rtcpIndex(packet: Uint8Array, length: number): number;

  /** The same for SRTCP that has an index. */
  unprotectRtcp(packet: Uint8Array, length: number): number;
}

/** Bytes of SRTCP that stay in the clear: header and SSRC of its first packet. */
export const RTCP_CLEAR_BYTES = 8;
/** The flag and index that SRTCP adds. */
export const RTCP_INDEX_BYTES = 4;
export const ENCRYPTED_FLAG = 0x8000_0000;
