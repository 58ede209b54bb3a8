import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { RTP_HEADER_BYTES } from '../../src/media/rtp-header.ts';
import type { Histogram } from './histogram.ts';

const HOST = '127.0.0.1';
const PAYLOAD_BYTES = 160;
const PACKET_BYTES = RTP_HEADER_BYTES + PAYLOAD_BYTES;
const PACKET_MS = 20;
const SILENCE = 0xff;
/** A byte of mu-law that is loud, so that nobody takes the payload for a pause. */
const LOUD = 0x2a;
const RECEIVE_BUFFER_BYTES = 256 * 1024;

/** What all streams of a load test count into. */
export interface StreamCounts {
  readonly jitter: Histogram;
  readonly gaps: Histogram;
  readonly delay: Histogram;
  silence: number;
  duplicated: number;
  damaged: number;
  /** Whether the measured interval is on: only then something is counted. */
  measuring: boolean;
}

/**
 * The audio of one call, from the caller's side: PCMU packets whose payload carries the call's number and their own.
 * The gateway hands mu-law on byte by byte, so each one is known again when it comes back.
 */
export class RtpStream {
  readonly #socket: Socket;
  readonly #counts: StreamCounts;
  readonly #packet = Buffer.alloc(PACKET_BYTES, LOUD);
  /** By packet number: when it was sent; NaN once it has come back. */
  readonly #sentAt: Float64Array;
  #next = 0;
  #firstCounted = 0;
  #afterCounted = Number.POSITIVE_INFINITY;
  #countedReturned = 0;
  #lastArrival = Number.NaN;

  private constructor(socket: Socket, call: number, maxPackets: number, counts: StreamCounts) {
    this.#socket = socket;
    this.#counts = counts;
    this.#sentAt = new Float64Array(maxPackets);
    this.#packet[0] = 0x80;
    this.#packet[1] = 0;
    this.#packet.writeUInt32BE(call + 1, 8);
    this.#packet.writeUInt32BE(call, RTP_HEADER_BYTES);
    socket.on('message', (datagram) => this.#receive(datagram, performance.now()));
    // A packet to a port that the gateway has closed already.
    socket.on('error', () => undefined);
  }

  /** @param call its number, which its packets carry. @param maxPackets it ever sends */
  static async open(call: number, maxPackets: number, counts: StreamCounts): Promise<RtpStream> {
    const socket = createSocket('udp4');
    socket.bind(0, HOST);
    await once(socket, 'listening');
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    return new RtpStream(socket, call, maxPackets, counts);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Packets since `beginMeasuring`, before it all, up to `endMeasuring`; and how many of them have come back. */
  get counted(): { sent: number; returned: number } {
    const sent = Math.min(this.#next, this.#afterCounted) - this.#firstCounted;
    return { sent, returned: this.#countedReturned };
  }

  /** @param port of the gateway, from its SDP */
  async connect(port: number): Promise<void> {
    this.#socket.connect(port, HOST);
    await once(this.#socket, 'connect');
  }

  beginMeasuring(): void {
    this.#firstCounted = this.#next;
    this.#countedReturned = 0;
  }

  endMeasuring(): void {
    this.#afterCounted = this.#next;
  }

  /** @param now monotonic ms */
  sendNext(now: number): void {
    if (this.#next === this.#sentAt.length) return;
    const packet = this.#packet;
    packet.writeUInt16BE(this.#next & 0xffff, 2);
    packet.writeUInt32BE(this.#next * PAYLOAD_BYTES, 4);
    packet.writeUInt32BE(this.#next, RTP_HEADER_BYTES + 4);
    this.#sentAt[this.#next++] = now;
    this.#socket.send(packet);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(datagram: Buffer, now: number): void {
    const counts = this.#counts;
    if (counts.measuring && !Number.isNaN(this.#lastArrival)) {
      const gap = now - this.#lastArrival;
      counts.gaps.add(gap);
      counts.jitter.add(Math.abs(gap - PACKET_MS));
    }
    this.#lastArrival = now;
    if (this.#isSilence(datagram)) {
      if (counts.measuring) counts.silence++;
      return;
    }
    const number = datagram.length === PACKET_BYTES ? datagram.readUInt32BE(RTP_HEADER_BYTES + 4) : -1;
    if (this.#isOurs(datagram) && number >= 0 && number < this.#next) this.#returned(number, now);
    else if (counts.measuring) counts.damaged++;
  }

  #returned(number: number, now: number): void {
    const sentAt = this.#sentAt[number] as number;
    if (Number.isNaN(sentAt)) {
      if (this.#counts.measuring) this.#counts.duplicated++;
      return;
    }
    this.#sentAt[number] = Number.NaN;
    if (number >= this.#firstCounted && number < this.#afterCounted) this.#countedReturned++;
    if (this.#counts.measuring) this.#counts.delay.add(now - sentAt);
  }

  #isSilence(datagram: Buffer): boolean {
    return datagram[RTP_HEADER_BYTES] === SILENCE && datagram.at(-1) === SILENCE;
  }

  /** The payload is this call's and is whole: its number in front, and the loud bytes up to the end. */
  #isOurs(datagram: Buffer): boolean {
    if (datagram.length !== PACKET_BYTES) return false;
    const sameCall = datagram.readUInt32BE(RTP_HEADER_BYTES) === this.#packet.readUInt32BE(RTP_HEADER_BYTES);
    return sameCall && datagram[RTP_HEADER_BYTES + 8] === LOUD && datagram[PACKET_BYTES - 1] === LOUD;
  }
}
