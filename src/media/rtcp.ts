import {
  ByePacket,
  CompoundPacket,
  ReceiverReportPacket,
  ReceptionReport,
  SdesChunk,
  type SdesItemType,
  SdesPacket,
  SenderReportPacket,
} from 'rtp.js/packets';
import { isValidRtcp } from './rtp-header.ts';
import { readUint16, readUint32 } from './words.ts';

/**
 * RTCP packets in and out (RFC 3550 §6); off the packet path: one each way in 5 s. They are written by rtp.js. What comes is
 * read here: a peer may send any number of them, of any length, and whatever they say of their length ends with the datagram.
 */

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

const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const BYE = 203;
/** Header and SSRC of a report, what a sender tells of itself, and a block. */
const HEADER_BYTES = 8;
const SENDER_BYTES = 20;
const BLOCK_BYTES = 24;
/** More than one Ethernet frame carries is not read. */
const MOST_BYTES = 2048;

/**
 * What is neither a report nor BYE is passed over, and so is what a profile adds to a report (§6.4.3).
 * @returns undefined when the datagram is not RTCP that can be read
 */
export function readRtcp(datagram: Uint8Array): Heard | undefined {
  const { length } = datagram;
  if (length > MOST_BYTES || !isValidRtcp(datagram)) return undefined;
  const heard: Heard = { senderReports: [], blocks: [], bye: false };
  for (let at = 0; at < length; ) {
    const end = at + 4 + 4 * readUint16(datagram, at + 2);
    if (at + 4 > length || end > length || !hear(datagram, at, end, heard)) return undefined;
    at = end;
  }
  return heard;
}

/** Takes one packet of a compound. @returns false when it says that it holds more than it does */
function hear(bytes: Uint8Array, at: number, end: number, heard: Heard): boolean {
  const type = bytes[at + 1];
  if (type === BYE) heard.bye = true;
  if (type !== SENDER_REPORT && type !== RECEIVER_REPORT) return true;
  const count = (bytes[at] as number) & 0x1f;
  const blocksAt = at + HEADER_BYTES + (type === SENDER_REPORT ? SENDER_BYTES : 0);
  if (blocksAt + count * BLOCK_BYTES > end) return false;
  if (type === SENDER_REPORT) {
    heard.senderReports.push({ ssrc: readUint32(bytes, at + 4), lastSr: readUint32(bytes, at + 10) });
  }
  for (let i = 0; i < count; i++) heard.blocks.push(readBlock(bytes, blocksAt + i * BLOCK_BYTES));
  return true;
}

function readBlock(bytes: Uint8Array, at: number): ReportBlock {
  const lost = readUint32(bytes, at + 4);
  return {
    ssrc: readUint32(bytes, at),
    fractionLost: lost >>> 24,
    // 24 bits with a sign: where packets came twice, fewer than none are lost.
    totalLost: Math.max(0, (lost << 8) >> 8),
    highestSequence: readUint32(bytes, at + 8),
    jitter: readUint32(bytes, at + 12),
    lastSr: readUint32(bytes, at + 16),
    delaySinceLastSr: readUint32(bytes, at + 20),
  };
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
