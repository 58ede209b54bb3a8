import {
  ByePacket,
  CompoundPacket,
  isRtcp,
  ReceiverReportPacket,
  ReceptionReport,
  type RtcpPacket,
  SdesChunk,
  type SdesItemType,
  SdesPacket,
  SenderReportPacket,
} from 'rtp.js/packets';

/** RTCP packets in and out (RFC 3550 §6), by rtp.js; off the packet path: one each way in 5 s. */

/** The item type of a canonical name (RFC 3550 §6.5.1); the package exports its enumeration as a type only. */
const CNAME = 1 as SdesItemType;

/** One reception report block (RFC 3550 §6.4.1). */
export interface ReportBlock {
  /** Whose packets it is about. */
  ssrc: number;
  /** Share of packets lost since the report before, in 256ths. */
  fractionLost: number;
  totalLost: number;
  /** Extended by the cycles of the sequence number. */
  highestSequence: number;
  /** In units of the RTP timestamp. */
  jitter: number;
  /** Middle 32 bits of the NTP timestamp of the last sender report; 0 = none. */
  lastSr: number;
  /** In 1/65536 s. */
  delaySinceLastSr: number;
}

/** What we have sent, for a sender report. */
export interface SenderInfo {
  /** NTP timestamp: seconds since 1900, and their fraction in 1/2^32. */
  ntpSeconds: number;
  ntpFraction: number;
  /** The same moment on the RTP clock. */
  rtpTimestamp: number;
  packets: number;
  /** Of payload. */
  bytes: number;
}

export interface Report {
  /** Ours. */
  ssrc: number;
  cname: string;
  /** Absent when nothing was sent since the last reports: then it is a receiver report. */
  sender: SenderInfo | undefined;
  blocks: readonly ReportBlock[];
  /** It is the last one: the leg is over. */
  bye: boolean;
}

/** What a compound or a reduced-size packet (RFC 5506) told. */
export interface Heard {
  /** Sender reports: whose, and the middle 32 bits of their NTP timestamp. */
  senderReports: { ssrc: number; lastSr: number }[];
  blocks: ReportBlock[];
  bye: boolean;
}

/** A compound packet: report, CNAME, and perhaps BYE. */
export function writeRtcp({ ssrc, cname, sender, blocks, bye }: Report): Buffer {
  const compound = new CompoundPacket();
  const report = sender === undefined ? new ReceiverReportPacket() : senderReport(sender);
  report.setSsrc(ssrc);
  report.setReports(blocks.map(blockPacket));
  compound.addPacket(report);
  const chunk = new SdesChunk();
  chunk.setSsrc(ssrc);
  chunk.addItem(CNAME, cname);
  const sdes = new SdesPacket();
  sdes.addChunk(chunk);
  compound.addPacket(sdes);
  if (bye) {
    const packet = new ByePacket();
    packet.addSsrc(ssrc);
    compound.addPacket(packet);
  }
  compound.serialize();
  const { buffer, byteOffset, byteLength } = compound.getView();
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** @returns undefined when the datagram is not RTCP that can be read */
export function readRtcp(datagram: Uint8Array): Heard | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let packets: RtcpPacket[];
  try {
    if (!isRtcp(view)) return undefined;
    packets = new CompoundPacket(view).getPackets();
  } catch {
    return undefined;
  }
  const heard: Heard = { senderReports: [], blocks: [], bye: false };
  for (const packet of packets) hear(packet, heard);
  return heard;
}

function hear(packet: RtcpPacket, heard: Heard): void {
  if (packet instanceof SenderReportPacket) {
    const lastSr = ((packet.getNtpSeconds() << 16) | (packet.getNtpFraction() >>> 16)) >>> 0;
    heard.senderReports.push({ ssrc: packet.getSsrc(), lastSr });
  }
  if (packet instanceof SenderReportPacket || packet instanceof ReceiverReportPacket) {
    heard.blocks.push(...packet.getReports().map(blockOf));
  }
  if (packet instanceof ByePacket) heard.bye = true;
}

function senderReport({ ntpSeconds, ntpFraction, rtpTimestamp, packets, bytes }: SenderInfo) {
  const report = new SenderReportPacket();
  report.setNtpSeconds(ntpSeconds);
  report.setNtpFraction(ntpFraction);
  report.setRtpTimestamp(rtpTimestamp);
  report.setPacketCount(packets >>> 0);
  report.setOctetCount(bytes >>> 0);
  return report;
}

function blockPacket(block: ReportBlock): ReceptionReport {
  const report = new ReceptionReport();
  report.setSsrc(block.ssrc);
  report.setFractionLost(block.fractionLost);
  report.setTotalLost(block.totalLost);
  report.setHighestSeqNumber(block.highestSequence);
  report.setJitter(block.jitter);
  report.setLastSRTimestamp(block.lastSr);
  report.setDelaySinceLastSR(block.delaySinceLastSr);
  return report;
}

const blockOf = (report: ReceptionReport): ReportBlock => ({
  ssrc: report.getSsrc(),
  fractionLost: report.getFractionLost(),
  totalLost: report.getTotalLost(),
  highestSequence: report.getHighestSeqNumber(),
  jitter: report.getJitter(),
  lastSr: report.getLastSRTimestamp(),
  delaySinceLastSr: report.getDelaySinceLastSR(),
});
