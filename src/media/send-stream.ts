import type { AudioFormat } from '../audio/format.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { CodecName } from '../config/codecs.ts';
import { dtmfDigits } from '../dtmf.ts';
import { codecs } from './codecs.ts';
import { DtmfSender } from './dtmf-sender.ts';
import type { HearingOf } from './hearing.ts';
import type { SentSoFar } from './leg-rtcp.ts';
import type { TelephoneEvent } from './media-port.ts';
import type { OpusSettings } from './opus-settings.ts';
import { SLOT_MS } from './pacer.ts';
import { Playback } from './playback.ts';
import { RTP_HEADER_BYTES } from './rtp-header.ts';
import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';
import type { Voice } from './voice.ts';
import { writeUint32 } from './words.ts';

/**
 * Makes the RTP packets of a leg from what it hears, a pure core. Timestamps are made from the pacer's slot
 * numbers: they go on over silence, hold, a change of codec and a stall, and never jump back (decisions §5). Where
 * another codec counts them by another clock, they go on from where they are under a new SSRC (RFC 7160 §4.1); the
 * sequence is one for the whole leg. While keys are pressed, speech waits in the ring.
 */

/** A packet's buffer is used again after so many packets: the kernel may take a moment to copy it. */
const BUFFERS = 4;
/** A key press (RFC 4733 §2.3), and how loud it is played: -10 dBm0. */
const EVENT_BYTES = 4;
const EVENT_VOLUME = 10;

/** Random numbers (RFC 3550 §5.1). */
export interface SendStart {
  sequence: number;
  timestamp: number;
  /** Called at first, and again whenever a new one is needed. */
  newSsrc: () => number;
}

export class SendStream {
  readonly #playback: Playback;
  readonly #stats: StatsBlock;
  readonly #start: SendStart;
  readonly #keys: DtmfSender;
  #buffers: Buffer[] = [];
  readonly #eventBuffers = Array.from({ length: BUFFERS }, () =>
    Buffer.alloc(RTP_HEADER_BYTES + EVENT_BYTES),
  );
  #packetMs = 0;
  #payloadType = 0;
  #event: TelephoneEvent | undefined;
  #ssrc: number;
  #sequence: number;
  /** Timestamp units per slot, and a slot whose timestamp is known. */
  #slotUnits = 0;
  #originSlot = 0;
  #originTimestamp: number;
  /** What `#slotUnits` becomes with the next packet. */
  #nextSlotUnits = 0;
  /** The slot of the last packet that was sent; a talkspurt begins after any pause. */
  #lastSlot = -1;
  /** There was something to be heard in the last packet. */
  #wasSpeech = false;
  /** Sent as this SSRC. */
  #packets = 0;
  #bytes = 0;

  /** @param onKeysPressed called with their number when a run of key presses is over */
  constructor(
    ring: AudioRing,
    format: AudioFormat,
    stats: StatsBlock,
    start: SendStart,
    onKeysPressed: (count: number) => void,
  ) {
    this.#playback = new Playback(ring, format, stats);
    this.#stats = stats;
    this.#start = start;
    this.#keys = new DtmfSender(onKeysPressed);
    this.#ssrc = start.newSsrc();
    this.#sequence = start.sequence;
    this.#originTimestamp = start.timestamp;
  }

  /** What is heard besides the outbound ring, and whether that is. */
  hear(hearing: HearingOf<Voice>): void {
    this.#playback.hear(hearing);
  }

  /** Sending starts: what others have said before is not heard. */
  start(): void {
    this.#playback.skipOthers();
  }

  /** Goes on as a new stream, with an SSRC and numbers of its own; time goes on. */
  begin(sequence: number): void {
    this.#ssrc = this.#start.newSsrc();
    this.#sequence = sequence;
    this.#keys.release();
  }

  /** The peer's way of taking key presses; undefined: it has none. */
  configureKeys(event: TelephoneEvent | undefined): void {
    this.#event = event;
    if (!event) this.#keys.stop();
  }

  /** Presses keys in place of speech. @param digits `0` to `9`, `*`, `#`, `A` to `D` @param gapMs between two of them */
  press(digits: string, durationMs: number, gapMs: number): void {
    this.#keys.start(digits, durationMs, gapMs);
    if (!this.#event) this.#keys.stop();
  }

  /** @param packetMs ms of audio per packet @param opus what the peer wants, where the codec is Opus */
  configure(codec: CodecName, payloadType: number, packetMs: number, opus?: OpusSettings): void {
    this.#payloadType = payloadType;
    if (!this.#playback.configure(codec, packetMs, opus)) return;
    this.#packetMs = packetMs;
    this.#nextSlotUnits = (codecs[codec].clockRateHz * SLOT_MS) / 1000;
    if (this.#slotUnits === 0) this.#slotUnits = this.#nextSlotUnits;
    const bytes = RTP_HEADER_BYTES + this.#playback.maxPayloadBytes;
    this.#buffers = Array.from({ length: BUFFERS }, () => Buffer.alloc(bytes));
  }

  /**
   * @param slot the pacer's
   * @returns the packet of this slot, whose bytes are good for four packets; undefined when there is none (DTX)
   */
  next(slot: number): Buffer | undefined {
    if (this.#nextSlotUnits !== this.#slotUnits) this.#changeClock(slot);
    const keys = this.#keys.next(slot, this.#packetMs);
    if (keys === 'press') return this.#nextOfPress(slot);
    const playback = this.#playback;
    const buffer = this.#buffers[this.#sequence & (BUFFERS - 1)] as Buffer;
    const length =
      keys === 'speech'
        ? playback.next(buffer, RTP_HEADER_BYTES, slot)
        : playback.nextOfGap(buffer, RTP_HEADER_BYTES);
    const { isSpeech } = playback;
    if (length === 0) return undefined;
    const paused = (slot - this.#lastSlot) * SLOT_MS !== this.#packetMs;
    this.#writeHeader(buffer, slot, this.#payloadType, isSpeech && (paused || !this.#wasSpeech));
    this.#wasSpeech = isSpeech;
    if (!isSpeech) this.#stats.add(counter.silencePacketsSent, 1);
    return this.#sent(buffer, slot, length);
  }

  /** All packets of a press have the timestamp of its start (RFC 4733 §2.5.1.1). */
  #nextOfPress(slot: number): Buffer {
    this.#playback.skipOthers();
    const { digit, lengthMs, isEnd, isFirst, startSlot } = this.#keys;
    const { payloadType, clockRate } = this.#event as TelephoneEvent;
    const duration = (lengthMs * clockRate) / 1000;
    const buffer = this.#eventBuffers[this.#sequence & (BUFFERS - 1)] as Buffer;
    this.#writeHeader(buffer, startSlot, payloadType, isFirst);
    buffer[RTP_HEADER_BYTES] = dtmfDigits.indexOf(digit);
    buffer[RTP_HEADER_BYTES + 1] = (isEnd ? 0x80 : 0) | EVENT_VOLUME;
    buffer[RTP_HEADER_BYTES + 2] = duration >>> 8;
    buffer[RTP_HEADER_BYTES + 3] = duration;
    this.#wasSpeech = false;
    return this.#sent(buffer, slot, EVENT_BYTES);
  }

  /** Counts a packet. @param length of its payload @returns its bytes */
  #sent(buffer: Buffer, slot: number, length: number): Buffer {
    this.#lastSlot = slot;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#packets += 1;
    this.#bytes += length;
    this.#stats.add(counter.packetsSent, 1);
    this.#stats.add(counter.bytesSent, length);
    const size = RTP_HEADER_BYTES + length;
    return size === buffer.length ? buffer : buffer.subarray(0, size);
  }

  /** For RTCP: as whom, how much, and where the timestamps are; those of the last packet. */
  sentSoFar(): SentSoFar {
    return {
      ssrc: this.#ssrc,
      clockRate: (this.#slotUnits * 1000) / SLOT_MS,
      rtpTimestamp: this.#timestampOf(this.#lastSlot),
      packets: this.#packets,
      bytes: this.#bytes,
    };
  }

  /** Nobody is to hear this slot (hold, `recvonly`): its audio passes unheard. */
  skip(slot: number): void {
    this.#keys.stop();
    this.#wasSpeech = false;
    this.#playback.skip(slot);
  }

  /** Frees what the codec holds, idempotent. */
  close(): void {
    this.#keys.stop();
    this.#playback.close();
  }

  #changeClock(slot: number): void {
    this.#originTimestamp = this.#timestampOf(slot);
    this.#originSlot = slot;
    this.#slotUnits = this.#nextSlotUnits;
    this.#ssrc = this.#start.newSsrc();
    this.#packets = 0;
    this.#bytes = 0;
    this.#keys.release();
  }

  #timestampOf(slot: number): number {
    return (this.#originTimestamp + (slot - this.#originSlot) * this.#slotUnits) >>> 0;
  }

  #writeHeader(packet: Buffer, slot: number, payloadType: number, marker: boolean): void {
    packet[0] = 0x80;
    packet[1] = payloadType | (marker ? 0x80 : 0);
    packet[2] = this.#sequence >>> 8;
    packet[3] = this.#sequence;
    writeUint32(packet, 4, this.#timestampOf(slot));
    writeUint32(packet, 8, this.#ssrc);
  }
}
