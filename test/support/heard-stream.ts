import { type Codec, payloadTypeOf, silenceOf } from './g711.ts';
import type { HeardPacket } from './rtp-packet.ts';

/** Heard packets put in order: streams by SSRC, packets by sequence number, samples by timestamp. */
export interface Assembled {
  bytes: Uint8Array;
  /** Per packet that is in it: its place and its arrival. */
  arrivals: { offset: number; at: number }[];
}

/** Every SSRC is a stretch of its own; they follow each other as they began. */
export function assemble(packets: readonly HeardPacket[], codec: Codec): Assembled {
  const type = payloadTypeOf[codec];
  const bytes: Uint8Array[] = [];
  const arrivals: { offset: number; at: number }[] = [];
  let base = 0;
  for (const stream of streams(packets.filter((one) => one.pt === type))) {
    const ordered = inOrder(stream);
    const start = Math.min(...ordered.map((one) => one.timestamp));
    const length = Math.max(...ordered.map((one) => one.timestamp - start + one.packet.payload.length));
    const stretch = new Uint8Array(length).fill(silenceOf[codec]);
    for (const { packet, timestamp } of ordered) {
      stretch.set(packet.payload, timestamp - start);
      arrivals.push({ offset: base + timestamp - start, at: packet.at });
    }
    bytes.push(stretch);
    base += length;
  }
  return { bytes: Buffer.concat(bytes), arrivals };
}

/** By SSRC, in the order in which they began. */
export function streams(packets: readonly HeardPacket[]): HeardPacket[][] {
  return [...Map.groupBy(packets, (one) => one.ssrc).values()];
}

export interface Ordered {
  packet: HeardPacket;
  /** Unwrapped. */
  seq: number;
  timestamp: number;
}

/** One SSRC's packets by sequence number, each once, with the wraps of 16 and 32 bits taken out. */
export function inOrder(packets: readonly HeardPacket[]): Ordered[] {
  const bySeq = new Map<number, Ordered>();
  let last: Ordered | undefined;
  for (const packet of packets) {
    const seq: number = last ? last.seq + (((packet.seq - last.seq) << 16) >> 16) : packet.seq;
    const timestamp: number = last
      ? last.timestamp + ((packet.timestamp - last.timestamp) | 0)
      : packet.timestamp;
    last = { packet, seq, timestamp };
    if (!bySeq.has(seq)) bySeq.set(seq, last);
  }
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
