import { MULAW_SILENCE, mulawOfAlaw, translate } from '../audio/g711.ts';
import type { AudioRing } from '../audio/ring.ts';
import type { G711Codec } from './media-port.ts';
import { ReceptionStatistics } from './reception-statistics.ts';
import { MAX_PAYLOAD_BYTES, ReorderWindow } from './reorder-window.ts';
import type { RtpHeader } from './rtp-header.ts';
import type { StatsBlock } from './stats-block.ts';
import { counter } from './stats-block.ts';
import { StreamClock } from './stream-clock.ts';

/**
 * Turns the RTP packets of a leg into mu-law that is continuous in time, in the inbound ring. A pure core: packets and
 * a clock in, bytes out. RTP timestamps decide where speech stands; the clock only steps in while nothing comes.
 * Speech is never cut: what comes after silence was put in its place is kept, and silence is left out later instead.
 *
 * Lengths are samples = bytes of mu-law at 8 kHz; times are monotonic ms.
 */

/** The stream may be behind the clock by this (200 ms) before silence keeps time in the peer's stead. */
const MAX_BEHIND = 1600;
/** Silence by the clock comes in steps of 20 ms, and two at a time at most: after a stall of ours, packets that the
 * kernel kept for us come first. */
const CLOCK_STEP = 160;
const MAX_CLOCK_FILL = 320;
/** With more than this surplus (200 ms) silence is left out, until less than 40 ms are left. */
const DRAIN_ABOVE = 1600;
const DRAIN_BELOW = 320;
/** Pauses between words keep this many packets. */
const PAUSE_PACKETS = 3;

const silence = new Uint8Array(CLOCK_STEP).fill(MULAW_SILENCE);

export class ReceiveStream {
  readonly #ring: AudioRing;
  readonly #stats: StatsBlock;
  readonly #statistics: ReceptionStatistics;
  readonly #window: ReorderWindow;
  readonly #clock = new StreamClock();
  #isAlaw = false;
  #running = false;
  #ssrc = -1;
  #now = 0;
  /** Samples of stream time so far, what the ring could not take included. */
  #position = 0;
  /** The timestamp that comes next; meaningless until `#synced`. */
  #nextTimestamp = 0;
  #synced = false;
  /** Samples of silence by the clock since the last speech: a gap in timestamps there is filled already. */
  #invented = 0;
  #draining = false;
  #quietPackets = 0;

  constructor(ring: AudioRing, stats: StatsBlock) {
    this.#ring = ring;
    this.#stats = stats;
    this.#statistics = new ReceptionStatistics(stats);
    this.#window = new ReorderWindow((timestamp, bytes, offset, length, isSpeech) => {
      if (isSpeech && this.#running && length > 0) this.#place(timestamp, bytes, offset, length);
    });
  }

  /** @param held nothing is written, and time stands still until it is over */
  configure(codec: G711Codec, held: boolean, now: number): void {
    this.#now = now;
    this.#isAlaw = codec === 'PCMA';
    if (held === !this.#running) return;
    this.#window.restart();
    this.#running = !held;
    this.#resync();
    this.#invented = 0;
    this.#clock.start(now, this.#position);
  }

  /**
   * Takes an accepted packet; an A-law payload is rewritten in place.
   * @param isSpeech false for telephone-event and comfort noise, which only count
   */
  packet(header: RtpHeader, bytes: Uint8Array, isSpeech: boolean, now: number): void {
    this.#now = now;
    if (header.payloadLength > MAX_PAYLOAD_BYTES) {
      this.#stats.add(counter.packetsDroppedInvalid, 1);
      return;
    }
    this.#stats.add(counter.packetsReceived, 1);
    this.#stats.add(counter.bytesReceived, header.payloadLength);
    if (header.ssrc !== this.#ssrc) this.#follow(header.ssrc);
    if (isSpeech && this.#isAlaw) translate(bytes, mulawOfAlaw, header.payloadOffset, header.payloadLength);
    this.#push(header, bytes, isSpeech);
  }

  /** Keeps time while nothing comes; call every 20 ms or so. */
  poll(now: number): void {
    this.#now = now;
    this.#window.poll(now);
    if (!this.#running) return;
    const missing = -this.#clock.ahead(now, this.#position) - MAX_BEHIND;
    if (missing < CLOCK_STEP) return;
    const fill = Math.min(MAX_CLOCK_FILL, missing - (missing % CLOCK_STEP));
    this.#writeSilence(fill);
    this.#invented += fill;
  }

  #push(header: RtpHeader, bytes: Uint8Array, isSpeech: boolean): void {
    const arrival = this.#window.push(
      header.sequence,
      header.timestamp,
      bytes,
      header.payloadOffset,
      header.payloadLength,
      isSpeech,
      this.#now,
    );
    if (arrival === 'duplicate') this.#stats.add(counter.packetsDuplicated, 1);
    else if (arrival === 'late' || arrival === 'stray') this.#stats.add(counter.packetsLate, 1);
    else if (arrival === 'restarted') this.#statistics.restart();
    if (arrival === 'stray') return;
    this.#statistics.count(header.sequence);
    if (isSpeech) this.#statistics.arrived(this.#now, header.timestamp);
  }

  #follow(ssrc: number): void {
    this.#ssrc = ssrc;
    this.#window.restart();
    this.#statistics.restart();
    this.#resync();
  }

  /** The next timestamp follows the last one, whatever it is. */
  #resync(): void {
    this.#synced = false;
  }

  /** Puts speech at its place in time: after the silence that its timestamp asks for. */
  #place(timestamp: number, bytes: Uint8Array, offset: number, length: number): void {
    const gap = this.#synced ? (timestamp - this.#nextTimestamp) | 0 : 0;
    this.#synced = true;
    this.#nextTimestamp = (timestamp + length) | 0;
    const ahead = this.#clock.ahead(this.#now, this.#position);
    this.#draining = ahead > (this.#draining ? DRAIN_BELOW : DRAIN_ABOVE);
    if (!this.#draining) this.#quietPackets = 0;
    const unfilled = gap - this.#invented;
    this.#invented = 0;
    if (unfilled > 0) this.#fillGap(unfilled, ahead);
    if (!this.#draining || !this.#isSpareSilence(bytes, offset, length)) {
      this.#write(bytes, offset, length);
    }
    this.#clock.follow(this.#now, this.#position, length);
  }

  /**
   * A gap in timestamps is time that has passed, as far as the clock agrees. Beyond that it is a jump, or there is a
   * surplus to work off. (Timestamps that go back are a new timeline of the peer's: speech just goes on.)
   */
  #fillGap(gap: number, ahead: number): void {
    this.#writeSilence(ahead + gap > DRAIN_ABOVE ? Math.max(0, -ahead) : gap);
  }

  /** Whether a packet is silence that nobody will miss: quiet all through, after a pause that is long enough. */
  #isSpareSilence(bytes: Uint8Array, offset: number, length: number): boolean {
    for (let i = offset; i < offset + length; i++) {
      // The lowest of mu-law's eight segments: below -48 dB of full scale.
      if (((bytes[i] as number) & 0x70) !== 0x70) {
        this.#quietPackets = 0;
        return false;
      }
    }
    return ++this.#quietPackets > PAUSE_PACKETS;
  }

  #write(bytes: Uint8Array, offset: number, length: number): void {
    this.#position += length;
    if (this.#ring.write(bytes, offset, length) < length) this.#stats.add(counter.packetsDroppedOverrun, 1);
  }

  #writeSilence(samples: number): void {
    this.#position += samples;
    for (let left = samples; left > 0; left -= CLOCK_STEP) {
      // Silence that finds the ring full is no loss.
      this.#ring.write(silence, 0, Math.min(left, CLOCK_STEP));
    }
  }
}
