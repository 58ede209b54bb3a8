import { describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { Pacer } from '../../src/media/pacer.ts';
import { ReceiveStream } from '../../src/media/receive-stream.ts';
import { SendStream } from '../../src/media/send-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { randomFrom } from '../fuzz/random.ts';

/** What must not add up: hours of a call, on a clock of the test's own. */
const HOUR_MS = 3_600_000;
const SILENCE = 0xff;
const payload = new Uint8Array(160).fill(0x20);

/** A receiving leg whose ring is read at once. */
class Listener {
  readonly stats = StatsBlock.create();
  readonly #ring = AudioRing.create(65_536);
  readonly #stream = new ReceiveStream(this.#ring, MULAW_8K, this.stats);
  readonly #out = new Uint8Array(65_536);
  #polledAt = 0;
  /** Samples heard, and those of them that are not silence. */
  heard = 0;
  spoken = 0;

  constructor() {
    this.#stream.configure('PCMU', false, 0);
  }

  /** Takes a packet after the polls that were due before it. */
  packet(sequence: number, timestamp: number, bytes: Uint8Array, at: number, kind: 'speech' | 'noise'): void {
    this.poll(at);
    const numbers = { sequence: sequence & 0xffff, timestamp: timestamp >>> 0, ssrc: 1 };
    const header = {
      payloadType: 0,
      marker: false,
      ...numbers,
      payloadOffset: 0,
      payloadLength: bytes.length,
    };
    this.#stream.packet(header, bytes, kind, at);
    this.#listen();
  }

  /** Every 20 ms up to `now`. */
  poll(now: number): void {
    for (; this.#polledAt + 20 <= now; this.#polledAt += 20) this.#stream.poll(this.#polledAt + 20);
    this.#listen();
  }

  #listen(): void {
    const count = this.#ring.read(this.#out);
    this.heard += count;
    for (let i = 0; i < count; i++) if (this.#out[i] !== SILENCE) this.spoken++;
  }
}

describe('an hour of a peer whose clock is off', () => {
  test.each([-500, -200, 200, 500])(
    'by %i ppm, with 40 ms of jitter and a packet in a hundred lost: the delay is at the end what it was at first',
    (ppm) => {
      const listener = new Listener();
      const random = randomFrom(ppm);
      const packets = HOUR_MS / 20;
      const perPacket = 20 * (1 + ppm / 1e6);
      const arrivals = Array.from({ length: packets }, (_, n) => ({
        n,
        // A stream begins with the packet that comes first.
        at: n * perPacket + (n === 0 ? 0 : random(400) / 10),
      })).sort((a, b) => a.at - b.at);
      // Samples of the peer's that are not heard yet, at worst: in the third minute, and in the last one.
      const worst = [0, 0];
      let lost = 0;
      for (const { n, at } of arrivals) {
        if (random(100) === 0 && n < packets - 1) {
          lost++;
          continue;
        }
        listener.packet(n, n * 160, payload, at, 'speech');
        const minute = Math.floor(at / 60_000);
        const isLast = n >= packets - 3000;
        const behind = Math.floor(at / perPacket) * 160 - listener.heard;
        if (minute === 2) worst[0] = Math.max(worst[0]!, behind);
        if (isLast) worst[1] = Math.max(worst[1]!, behind);
      }
      listener.poll(HOUR_MS * (1 + ppm / 1e6) + 100);
      const { packetsLate, packetsLost, concealedMs, jitterTargetMs } = listener.stats.read();
      expect({ packetsLate, packetsLost, concealedMs }).toEqual({
        packetsLate: 0,
        packetsLost: lost,
        concealedMs: lost * 20,
      });
      expect(listener.heard).toBe(packets * 160);
      expect(jitterTargetMs).toBeLessThanOrEqual(50);
      expect(worst[1]).toBeLessThanOrEqual(worst[0]! + 160);
      expect(worst[0]).toBeLessThan(120 * 8);
    },
  );

  test.each([-500, -200, 200, 500])(
    'by %i ppm, who sends nothing between his words (DTX): each word is heard, and time is kept',
    (ppm) => {
      const listener = new Listener();
      const silent = Uint8Array.of(127);
      let sequence = 0;
      const turns = HOUR_MS / 3000;
      for (let turn = 0; turn < turns; turn++) {
        // A second of speech, a packet of comfort noise, and two seconds without any.
        for (let n = 0; n <= 50; n++) {
          const sentAt = turn * 3000 + n * 20;
          const at = sentAt * (1 + ppm / 1e6);
          if (n < 50) listener.packet(sequence++, sentAt * 8, payload, at, 'speech');
          else listener.packet(sequence++, sentAt * 8, silent, at, 'noise');
        }
        // Pauses may be cut down to what they are by our clock.
        const clocks = [1, 1 + ppm / 1e6].map((rate) => (turn * 3000 + 1000) * rate * 8);
        expect(listener.heard).toBeGreaterThan(Math.min(...clocks) - 20 * 8);
        expect(listener.heard).toBeLessThanOrEqual(Math.max(...clocks) + 20 * 8);
      }
      expect(listener.spoken).toBe(turns * 8000);
      expect(listener.stats.read()).toMatchObject({ packetsLost: 0, packetsLate: 0, concealedMs: 0 });
    },
  );
});

test('six hours of sending are 20 ms to the sample, with numbers that wrap and timers that are late', () => {
  const ring = AudioRing.create(8192);
  const start = { sequence: 65_000, timestamp: 0xffff_0000, newSsrc: () => 7 };
  const stream = new SendStream(ring, MULAW_8K, StatsBlock.create(), start, () => undefined);
  stream.configure('PCMU', 0, 20);
  const origin = 12_345.678;
  const pacer = new Pacer(origin);
  const random = randomFrom(1);
  const packets = (6 * HOUR_MS) / 20;
  let sent = 0;
  let latest = 0;
  let wrong = 0;
  for (let now = origin; sent < packets; ) {
    // Late by 0 to 2 ms, and now and then by up to 90.
    now += pacer.delay(now) + random(20) / 10 + (random(2000) === 0 ? random(90) : 0);
    while (pacer.take(now)) {
      if (pacer.slot % 4 !== 0) continue;
      // A word every ten seconds.
      if (sent % 500 === 0) ring.write(payload);
      const packet = stream.next(pacer.slot) as Buffer;
      const isRight =
        packet.readUInt16BE(2) === ((start.sequence + sent) & 0xffff) &&
        packet.readUInt32BE(4) === (start.timestamp + (sent + 1) * 160) >>> 0 &&
        packet.length === 172;
      if (!isRight) wrong++;
      sent++;
      latest = Math.max(latest, now - origin - sent * 20);
    }
  }
  expect(wrong).toBe(0);
  expect(latest).toBeLessThan(100);
});
