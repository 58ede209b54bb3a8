import { inOrder, streams } from './heard-stream.ts';
import type { HeardPacket } from './rtp-packet.ts';

const SAMPLES_PER_MS = 8;

export interface PacingReport {
  packets: number;
  ssrcs: number;
  /** Sequence numbers that never came, came twice, came after a later one. */
  lost: number;
  duplicates: number;
  reordered: number;
  /** Neighbours by sequence number whose timestamps are not one packet of samples apart. */
  timestampFaults: number;
  markers: number;
  /** How far the gap between two arrivals is from the packet's own length, ms. */
  jitterP50Ms: number;
  jitterP99Ms: number;
  /** How much later the last packet came than its timestamp says, measured from the first; ms. */
  driftMs: number;
}

/** The pace of the speech packets (payload types 0 and 8), all SSRCs together. @param samplesPerPacket what every step should be */
export function pacing(packets: readonly HeardPacket[], samplesPerPacket = 160): PacingReport {
  const speech = packets.filter((one) => one.pt === 0 || one.pt === 8);
  const report = {
    packets: speech.length,
    ssrcs: 0,
    lost: 0,
    duplicates: 0,
    reordered: 0,
    timestampFaults: 0,
    markers: 0,
    driftMs: 0,
  };
  const deviations: number[] = [];
  for (const stream of streams(speech)) {
    const ordered = inOrder(stream);
    const [first, last] = [ordered[0]!, ordered.at(-1)!];
    report.ssrcs++;
    report.lost += last.seq - first.seq + 1 - ordered.length;
    report.duplicates += stream.length - ordered.length;
    report.driftMs += last.packet.at - first.packet.at - (last.timestamp - first.timestamp) / SAMPLES_PER_MS;
    report.markers += ordered.filter((one) => one.packet.marker).length;
    for (let i = 1; i < ordered.length; i++) {
      const [a, b] = [ordered[i - 1]!, ordered[i]!];
      if (b.timestamp - a.timestamp !== samplesPerPacket * (b.seq - a.seq)) report.timestampFaults++;
      if (b.packet.at < a.packet.at) report.reordered++;
      if (b.seq === a.seq + 1)
        deviations.push(Math.abs(b.packet.at - a.packet.at - samplesPerPacket / SAMPLES_PER_MS));
    }
  }
  deviations.sort((a, b) => a - b);
  const quantile = (q: number): number =>
    deviations[Math.min(deviations.length - 1, Math.floor(q * deviations.length))] ?? 0;
  return { ...report, jitterP50Ms: quantile(0.5), jitterP99Ms: quantile(0.99) };
}
