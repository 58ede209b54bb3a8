/** RTP packets as the test phone sends and hears them (RFC 3550 §5.1) and telephone events (RFC 4733). */
export interface RtpFields {
  pt: number;
  seq: number;
  timestamp: number;
  ssrc: number;
  marker: boolean;
  payload: Uint8Array;
}

export interface HeardPacket extends RtpFields {
  /** Arrival, ms of `performance.now()`. */
  at: number;
  /** Source port. */
  from: number;
}

export function writeRtp(fields: RtpFields): Buffer {
  const packet = Buffer.alloc(12 + fields.payload.length);
  packet[0] = 0x80;
  packet[1] = (fields.marker ? 0x80 : 0) | fields.pt;
  packet.writeUInt16BE(fields.seq & 0xffff, 2);
  packet.writeUInt32BE(fields.timestamp >>> 0, 4);
  packet.writeUInt32BE(fields.ssrc >>> 0, 8);
  packet.set(fields.payload, 12);
  return packet;
}

/** Reads a packet; undefined when it is not RTP version 2. CSRCs, extension and padding are taken off. */
export function readRtp(packet: Buffer): RtpFields | undefined {
  if (packet.length < 12 || packet[0]! >> 6 !== 2) return undefined;
  let start = 12 + 4 * (packet[0]! & 0x0f);
  if (packet[0]! & 0x10) start += packet.length >= start + 4 ? 4 + 4 * packet.readUInt16BE(start + 2) : 4;
  const padding = packet[0]! & 0x20 ? packet[packet.length - 1]! : 0;
  if (start + padding > packet.length) return undefined;
  return {
    marker: (packet[1]! & 0x80) !== 0,
    pt: packet[1]! & 0x7f,
    seq: packet.readUInt16BE(2),
    timestamp: packet.readUInt32BE(4),
    ssrc: packet.readUInt32BE(8),
    payload: Uint8Array.from(packet.subarray(start, packet.length - padding)),
  };
}

const eventCodes = '0123456789*#ABCD';

/** Four bytes of an RFC 4733 event. @param duration samples so far */
export function eventPayload(digit: string, duration: number, end: boolean): Uint8Array {
  const code = eventCodes.indexOf(digit.toUpperCase());
  if (code < 0) throw new RangeError(`not a DTMF digit: ${digit}`);
  return Uint8Array.of(code, (end ? 0x80 : 0) | 10, (duration >> 8) & 0xff, duration & 0xff);
}
