import { readUint16, readUint32 } from './words.ts';
/**
 * Reads RTP headers in place (RFC 3550 §5.1), by offset and with every bound checked; nothing is allocated.
 */

/** One header, filled again for every packet. Offsets and lengths in bytes of the datagram. */
export interface RtpHeader {
  payloadType: number;
  marker: boolean;
  sequence: number;
  timestamp: number;
  ssrc: number;
  payloadOffset: number;
  payloadLength: number;
}

export const RTP_HEADER_BYTES = 12;

export const emptyRtpHeader = (): RtpHeader => ({
  payloadType: 0,
  marker: false,
  sequence: 0,
  timestamp: 0,
  ssrc: 0,
  payloadOffset: 0,
  payloadLength: 0,
});

const at = (packet: Uint8Array, offset: number): number => packet[offset] as number;

/** RFC 5761 §4: on a shared port a second byte of 192 to 223 is an RTCP packet type. */
export function isRtcp(packet: Uint8Array): boolean {
  const type = packet[1] ?? 0;
  return type >= 192 && type <= 223;
}

/** A datagram on the RTCP port that is RTCP at all: version 2, a header and a packet type of RTCP. */
export function isValidRtcp(packet: Uint8Array): boolean {
  return packet.length >= 8 && at(packet, 0) >> 6 === 2 && isRtcp(packet);
}

/** Length of the header with CSRCs and extension, -1 when `packet[0, size)` is no RTP. */
export function rtpHeaderBytes(packet: Uint8Array, size: number): number {
  if (size < RTP_HEADER_BYTES) return -1;
  const first = at(packet, 0);
  if (first >> 6 !== 2) return -1;
  let bytes = RTP_HEADER_BYTES + 4 * (first & 0x0f);
  if (first & 0x10) {
    if (bytes + 4 > size) return -1;
    bytes += 4 + 4 * readUint16(packet, bytes + 2);
  }
  return bytes > size ? -1 : bytes;
}

/**
 * @param size of the packet in its datagram, which may be longer
 * @returns whether it is well-formed RTP; only then `into` holds its header
 */
export function readRtpHeader(packet: Uint8Array, into: RtpHeader, size = packet.length): boolean {
  const offset = rtpHeaderBytes(packet, size);
  if (offset < 0) return false;
  const first = at(packet, 0);
  // The last byte of padding counts the padding, itself included.
  const padding = first & 0x20 ? at(packet, size - 1) : 0;
  if (first & 0x20 && padding === 0) return false;
  if (offset + padding > size) return false;
  const second = at(packet, 1);
  into.marker = second > 0x7f;
  into.payloadType = second & 0x7f;
  into.sequence = readUint16(packet, 2);
  into.timestamp = readUint32(packet, 4);
  into.ssrc = readUint32(packet, 8);
  into.payloadOffset = offset;
  into.payloadLength = size - offset - padding;
  return true;
}
