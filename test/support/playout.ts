import { eventPayload } from './rtp-packet.ts';

/** What a test phone has to say, packet by packet: speech and digits in the order in which they were asked for. */
const SAMPLES_PER_MS = 8;

export interface Played {
  /** When the first and the last packet of it were sent, ms of `performance.now()`. */
  startedAt: number;
  endedAt: number;
  /** False when `stop()` or the end of the call cut it short. */
  complete: boolean;
}

/** A packet of a digit: the last one is to be sent three times (RFC 4733 §2.5.1.4). */
export interface EventPacket {
  timestamp: number;
  payload: Uint8Array;
  first: boolean;
  last: boolean;
}

interface Speech {
  samples: Int16Array;
  at: number;
  startedAt: number;
  resolve: (played: Played) => void;
}

interface Digit {
  digit: string;
  /** Samples: so far, and in all. */
  duration: number;
  total: number;
  timestamp: number;
  resolve: () => void;
}

export class Playout {
  #speech: Speech[] = [];
  #digits: Digit[] = [];

  /** @returns when the last packet of it was taken */
  play(samples: Int16Array): Promise<Played> {
    return new Promise((resolve) => {
      this.#speech.push({ samples, at: 0, startedAt: 0, resolve });
    });
  }

  /** @returns when its last packet was taken. @throws RangeError when it is no DTMF digit */
  sendDigit(digit: string, durationMs: number): Promise<void> {
    eventPayload(digit, 0, false);
    return new Promise((resolve) => {
      this.#digits.push({ digit, duration: 0, total: durationMs * SAMPLES_PER_MS, timestamp: 0, resolve });
    });
  }

  /** Drops all there is. */
  stop(): void {
    const endedAt = performance.now();
    for (const one of this.#speech.splice(0))
      one.resolve({ startedAt: one.startedAt, endedAt, complete: false });
    for (const one of this.#digits.splice(0)) one.resolve();
  }

  /** The next packet of the digit that is on, if one is: it goes out in place of speech. */
  nextEvent(samples: number, timestamp: number): EventPacket | undefined {
    const digit = this.#digits[0];
    if (!digit) return undefined;
    const first = digit.duration === 0;
    if (first) digit.timestamp = timestamp;
    digit.duration += samples;
    const last = digit.duration >= digit.total;
    if (last) {
      this.#digits.shift();
      digit.resolve();
    }
    return {
      timestamp: digit.timestamp,
      payload: eventPayload(digit.digit, digit.duration, last),
      first,
      last,
    };
  }

  /** The next samples of speech, filled up with silence. */
  nextSamples(length: number): Int16Array {
    const samples = new Int16Array(length);
    const now = performance.now();
    for (let filled = 0; filled < length; ) {
      const one = this.#speech[0];
      if (!one) break;
      if (one.at === 0) one.startedAt = now;
      const part = one.samples.subarray(one.at, one.at + length - filled);
      samples.set(part, filled);
      filled += part.length;
      one.at += part.length;
      if (one.at < one.samples.length) break;
      this.#speech.shift();
      one.resolve({ startedAt: one.startedAt, endedAt: now, complete: true });
    }
    return samples;
  }
}
