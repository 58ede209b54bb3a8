import { dtmfDigits, PressBudget } from '../dtmf.ts';
import type { RtpHeader } from './rtp-header.ts';
import { counter, type StatsBlock } from './stats-block.ts';
import { readUint16 } from './words.ts';

/**
 * Key presses from the telephone-event packets of a leg (RFC 4733), a pure core that allocates nothing per packet. A
 * press is told once, when it is over: with the first packet that ends it, with the next press, or when nothing has
 * come of it for a while. Which press a packet belongs to is told by its timestamp: the start of the press, or a place
 * within it where a long one is sent in segments (§2.5.1.3). So nothing hangs on the marker bit, on the order of
 * packets, or on any single one of them.
 */

/** Three copies of the end are lost when nothing comes for so long; updates come every 20 to 50 ms (§2.5.1.2). */
const END_LOST_MS = 250;
/** Presses that are remembered, so that what comes late of them is no new one. */
const REMEMBERED = 8;
/** Events in one packet (§2.5.1.5). */
const MOST_IN_PACKET = 8;
const EVENT_BYTES = 4;
/** The longest segment. */
const SEGMENT_UNITS = 0xffff;

interface Press {
  ssrc: number;
  code: number;
  /** Timestamp of its start. */
  start: number;
  /** Where its last segment began, and how long it has been so far, in timestamp units from `start` on. */
  segment: number;
  length: number;
  /** Units before `start`: the peer has changed its SSRC while the key was down. */
  before: number;
  unitsPerMs: number;
  lastAt: number;
  /** A packet with the end bit came. */
  ended: boolean;
  told: boolean;
}

const unused = (): Press => ({
  ...{ ssrc: -1, code: -1, start: 0, segment: 0, length: 0, before: 0 },
  ...{ unitsPerMs: 8, lastAt: 0, ended: true, told: true },
});

/** @param durationMs how long the key was down, as far as is known */
type OnDigit = (digit: string, durationMs: number) => void;

export class DtmfReceiver {
  readonly #stats: StatsBlock;
  readonly #onDigit: OnDigit;
  readonly #budget = new PressBudget();
  /** A ring; the next to be used again is the oldest. */
  readonly #presses = Array.from({ length: REMEMBERED }, unused);
  #next = 0;
  #untold = 0;
  #now = 0;

  constructor(stats: StatsBlock, onDigit: OnDigit) {
    this.#stats = stats;
    this.#onDigit = onDigit;
  }

  /** Takes an accepted packet. @param clockRate of its payload type @param now monotonic ms */
  packet(header: RtpHeader, bytes: Uint8Array, clockRate: number, now: number): void {
    this.#now = now;
    const { ssrc, payloadOffset, payloadLength } = header;
    const events = Math.min(MOST_IN_PACKET, Math.floor(payloadLength / EVENT_BYTES));
    let { timestamp, marker } = header;
    for (let i = 0; i < events; i++) {
      const at = payloadOffset + i * EVENT_BYTES;
      const code = bytes[at] as number;
      const ends = (bytes[at + 1] as number) > 0x7f;
      const duration = readUint16(bytes, at + 2);
      if (code < dtmfDigits.length) {
        const press =
          this.#find(ssrc, code, timestamp, marker) ?? this.#begin(ssrc, code, timestamp, marker, duration);
        press.unitsPerMs = clockRate / 1000;
        this.#update(press, timestamp, duration, ends);
      }
      // Events in one packet follow each other without a gap.
      timestamp = (timestamp + duration) >>> 0;
      marker = false;
    }
  }

  /** Tells of presses whose end was lost; call every 20 ms or so. */
  poll(now: number): void {
    if (this.#untold === 0) return;
    this.#now = now;
    for (const press of this.#presses) if (now - press.lastAt >= END_LOST_MS) this.#tell(press);
  }

  #find(ssrc: number, code: number, timestamp: number, marker: boolean): Press | undefined {
    for (const press of this.#presses) {
      if (press.ssrc === ssrc && press.code === code && isPartOf(press, timestamp, marker)) return press;
    }
    return undefined;
  }

  #begin(ssrc: number, code: number, timestamp: number, marker: boolean, duration: number): Press {
    const before = marker ? 0 : this.#carryOver(ssrc, code, duration);
    this.#endEarlier(ssrc, timestamp);
    const press = this.#presses[this.#next] as Press;
    this.#next = (this.#next + 1) % REMEMBERED;
    this.#tell(press);
    press.ssrc = ssrc;
    press.code = code;
    press.start = timestamp;
    press.segment = 0;
    press.length = duration;
    press.before = before;
    press.lastAt = this.#now;
    press.ended = false;
    press.told = false;
    this.#untold++;
    return press;
  }

  #update(press: Press, timestamp: number, duration: number, ends: boolean): void {
    const offset = (timestamp - press.start) | 0;
    if (offset > press.segment) press.segment = offset;
    // Late packets are shorter than what is known; a duration that has wrapped is longer all the same.
    const more = ((offset + duration - press.length) << 16) >> 16;
    if (more > 0) press.length += more;
    press.lastAt = this.#now;
    if (!ends) return;
    press.ended = true;
    this.#tell(press);
  }

  /** A key that is down while the peer changes its SSRC goes on under the new one. @returns the units of it so far */
  #carryOver(ssrc: number, code: number, duration: number): number {
    for (const press of this.#presses) {
      const lasts = !press.told && press.code === code && press.ssrc !== ssrc;
      if (!lasts || duration < press.length - press.segment) continue;
      press.ended = true;
      press.told = true;
      this.#untold--;
      return press.before + press.segment;
    }
    return 0;
  }

  /** A key goes down: those before it are up, whatever was lost of them. */
  #endEarlier(ssrc: number, timestamp: number): void {
    for (let i = 0; i < REMEMBERED && this.#untold > 0; i++) {
      const press = this.#presses[(this.#next + i) % REMEMBERED] as Press;
      if (press.ssrc !== ssrc || ((timestamp - press.start) | 0) >= 0) this.#tell(press);
    }
  }

  #tell(press: Press): void {
    if (press.told) return;
    press.told = true;
    this.#untold--;
    if (!this.#budget.take(this.#now)) {
      this.#stats.add(counter.digitsDropped, 1);
      return;
    }
    const durationMs = Math.round((press.before + press.length) / press.unitsPerMs);
    this.#onDigit(dtmfDigits[press.code] as string, durationMs);
  }
}

/** Whether a packet of the same key and stream is one of this press, and not of the next one. */
function isPartOf({ start, segment, length, ended }: Press, timestamp: number, marker: boolean): boolean {
  const offset = (timestamp - start) | 0;
  if (offset === 0) return true;
  if (offset < 0 || marker) return false;
  if (offset < length) return true;
  // The next segment begins where the last one ended, of which packets may be missing.
  return !ended && (offset === length || offset - segment === SEGMENT_UNITS);
}
