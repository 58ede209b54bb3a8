import { ALAW_SILENCE, alawOfMulaw, MULAW_SILENCE, translate } from '../audio/g711.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { G711Codec } from './media-port.ts';
import { SLOT_MS, SLOT_SAMPLES } from './pacer.ts';
import { RTP_HEADER_BYTES } from './rtp-header.ts';
import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';

/**
 * Makes the RTP packets of a leg from the outbound ring, a pure core. Timestamps are made from the pacer's slot
 * numbers: they go on over silence, hold, a change of codec and a stall, and never jump back (decisions §5).
 */

/** Enough audio to start with at once: a chunk of the pipeline (100 ms) and the cushion that waiting would give. */
const START_SAMPLES = 1280;
/** Otherwise playing starts this long (60 ms) after the first byte: chunks may come late by as much. */
const START_SLOTS = 60 / SLOT_MS;
/** A packet's buffer is used again after so many packets: the kernel may take a moment to copy it. */
const BUFFERS = 4;
const PCMU_PAYLOAD_TYPE = 0;

export interface SendStart {
  ssrc: number;
  sequence: number;
  timestamp: number;
}

export class SendStream {
  readonly #ring: AudioRing;
  readonly #stats: StatsBlock;
  readonly #start: SendStart;
  #buffers: Buffer[] = [];
  #samples = 0;
  #payloadType = PCMU_PAYLOAD_TYPE;
  #isAlaw = false;
  #sequence: number;
  /** The slot of the last packet that was sent; a talkspurt begins after any pause. */
  #lastSlot = -1;
  #playing = false;
  #wasSpeech = false;
  /** The slot at which audio was first seen in the ring after it had been empty. */
  #firstByteSlot = -1;

  /** @param start random numbers (RFC 3550 §5.1) */
  constructor(ring: AudioRing, stats: StatsBlock, start: SendStart) {
    this.#ring = ring;
    this.#stats = stats;
    this.#start = start;
    this.#sequence = start.sequence;
  }

  /** @param packetMs ms of audio per packet */
  configure(codec: G711Codec, payloadType: number, packetMs: number): void {
    this.#isAlaw = codec === 'PCMA';
    this.#payloadType = payloadType;
    const samples = packetMs * 8;
    if (samples === this.#samples) return;
    this.#samples = samples;
    this.#buffers = Array.from({ length: BUFFERS }, () => this.#newPacket());
  }

  /**
   * @param slot the pacer's
   * @returns the packet of this slot; its bytes are good for four packets
   */
  next(slot: number): Buffer {
    const packet = this.#buffers[this.#sequence & (BUFFERS - 1)] as Buffer;
    const isSpeech = this.#fill(packet, slot);
    const paused = (slot - this.#lastSlot) * SLOT_SAMPLES !== this.#samples;
    this.#writeHeader(packet, slot, isSpeech && (paused || !this.#wasSpeech));
    this.#wasSpeech = isSpeech;
    this.#lastSlot = slot;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#stats.add(counter.packetsSent, 1);
    this.#stats.add(counter.bytesSent, this.#samples);
    if (!isSpeech) this.#stats.add(counter.silencePacketsSent, 1);
    return packet;
  }

  /** Nobody is to hear this slot (hold, `recvonly`): its audio passes unheard. */
  skip(slot: number): void {
    this.#fill(this.#buffers[0] as Buffer, slot);
    this.#wasSpeech = false;
  }

  /** @returns whether there was something to play */
  #fill(packet: Buffer, slot: number): boolean {
    this.#ring.applyFlush();
    const taken = this.#isPlaying(slot) ? this.#ring.read(packet, RTP_HEADER_BYTES, this.#samples) : 0;
    if (taken < this.#samples) {
      this.#playing = false;
      packet.fill(MULAW_SILENCE, RTP_HEADER_BYTES + taken);
    }
    if (this.#isAlaw) {
      if (taken === 0) packet.fill(ALAW_SILENCE, RTP_HEADER_BYTES);
      else translate(packet, alawOfMulaw, RTP_HEADER_BYTES, this.#samples);
    }
    return taken > 0;
  }

  #isPlaying(slot: number): boolean {
    if (this.#playing) return true;
    const readable = this.#ring.readable;
    if (readable === 0) {
      this.#firstByteSlot = -1;
      return false;
    }
    if (this.#firstByteSlot < 0) this.#firstByteSlot = slot;
    this.#playing = readable >= START_SAMPLES || slot - this.#firstByteSlot >= START_SLOTS;
    if (this.#playing) this.#firstByteSlot = -1;
    return this.#playing;
  }

  #newPacket(): Buffer {
    const packet = Buffer.alloc(RTP_HEADER_BYTES + this.#samples);
    packet[0] = 0x80;
    packet.writeUInt32BE(this.#start.ssrc, 8);
    return packet;
  }

  #writeHeader(packet: Buffer, slot: number, marker: boolean): void {
    const timestamp = (this.#start.timestamp + slot * SLOT_SAMPLES) >>> 0;
    packet[1] = this.#payloadType | (marker ? 0x80 : 0);
    packet[2] = this.#sequence >>> 8;
    packet[3] = this.#sequence;
    packet[4] = timestamp >>> 24;
    packet[5] = timestamp >>> 16;
    packet[6] = timestamp >>> 8;
    packet[7] = timestamp;
  }
}
