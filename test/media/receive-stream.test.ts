import { beforeEach, describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { mulawOfAlaw, mulawToLinear } from '../../src/audio/g711.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { PacketKind } from '../../src/media/jitter-buffer.ts';
import { ReceiveStream } from '../../src/media/receive-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { percentilesOf } from '../../src/telemetry/latency-histogram.ts';

const SILENCE = 0xff;
let ring: AudioRing;
let stats: StatsBlock;
let stream: ReceiveStream;
let heard: number[];

beforeEach(() => {
  ring = AudioRing.create(8192);
  stats = StatsBlock.create();
  stream = new ReceiveStream(ring, MULAW_8K, stats);
  stream.configure('PCMU', false, 0);
  heard = [];
});

/** Speech of a packet: bytes that tell where they come from and are never silence. */
const speech = (n: number, length = 160): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => ((n * 7 + i) % 100) + 1);

function packet(
  sequence: number,
  timestamp: number,
  payload: Uint8Array,
  now: number,
  { ssrc = 1, kind = 'speech' as PacketKind | 'former' } = {},
): void {
  const header = {
    payloadType: 0,
    marker: false,
    sequence: sequence & 0xffff,
    timestamp: timestamp >>> 0,
    ssrc,
    payloadOffset: 12,
    payloadLength: payload.length,
  };
  stream.packet(header, Uint8Array.from([...new Uint8Array(12), ...payload]), kind, now);
  listen();
}

function poll(now: number): void {
  stream.poll(now);
  listen();
}

function listen(): void {
  const bytes = new Uint8Array(ring.readable);
  ring.read(bytes);
  for (const byte of bytes) heard.push(byte);
}

/** Speech packets number `from` to before `to`, 20 ms apart from `start` ms on, with polls between. */
function talk(from: number, to: number, start: number, timestamp = from * 160): void {
  for (let n = from; n < to; n++) {
    packet(n, timestamp + (n - from) * 160, speech(n), start + (n - from) * 20);
    poll(start + (n - from) * 20 + 10);
  }
}

const allSpeech = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => [...speech(from + i)]).flat();

/** Whether packets `from` to before `to` were heard, each byte for byte and in order; @returns the bytes between them. */
function between(from: number, to: number): number {
  const bytes = Buffer.from(heard);
  let end = 0;
  let others = bytes.length;
  for (let n = from; n < to; n++) {
    const at = bytes.indexOf(speech(n), end);
    if (at < 0) throw new Error(`packet ${n} was not heard`);
    end = at + 160;
    others -= 160;
  }
  return others;
}

describe('order', () => {
  test('what comes in order is there at once, byte for byte, in packets of 10 to 60 ms', () => {
    let timestamp = 1000;
    const expected: number[] = [];
    [80, 160, 240, 480, 80, 320].forEach((length, n) => {
      packet(n, timestamp, speech(n, length), timestamp / 8);
      timestamp += length;
      expected.push(...speech(n, length));
      expect(heard).toEqual(expected);
    });
  });

  test('A-law arrives as mu-law', () => {
    stream.configure('PCMA', false, 0);
    packet(0, 0, speech(0), 0);
    expect(heard).toEqual([...speech(0)].map((byte) => mulawOfAlaw[byte]));
  });

  test('packets that overtook each other come out in order', () => {
    for (const n of [0, 1, 4, 3, 2, 5]) packet(n, n * 160, speech(n), 100 + n);
    expect(heard).toEqual(allSpeech(0, 6));
    expect(stats.read()).toMatchObject({ packetsReceived: 6, packetsLost: 0, packetsLate: 0 });
  });

  test('a lost packet is made up once it has been waited for: 60 ms while nothing is known of the network', () => {
    for (const n of [0, 1, 3, 4, 5]) packet(n, n * 160, speech(n), n * 20);
    poll(119);
    expect(heard).toEqual(allSpeech(0, 2));
    expect(stats.read()).toMatchObject({ jitterTargetMs: 60, concealedMs: 0 });
    poll(120);
    expect(heard.slice(0, 320)).toEqual(allSpeech(0, 2));
    expect(heard.slice(480)).toEqual(allSpeech(3, 6));
    expect(heard.slice(320, 480)).not.toEqual(Array(160).fill(SILENCE));
    expect(stats.read()).toMatchObject({ packetsLost: 1, concealedMs: 20 });
  });

  test('once the network is known to be quick, a loss is made up as soon as the next packet has come', () => {
    talk(0, 100, 0);
    packet(101, 101 * 160, speech(101), 2020);
    poll(2030);
    expect(heard).toHaveLength(100 * 160);
    poll(2040);
    expect(heard).toHaveLength(102 * 160);
    expect(stats.read()).toMatchObject({ jitterTargetMs: 20, concealedMs: 20 });
    // What comes now is too late.
    packet(100, 100 * 160, speech(100), 2041);
    expect(heard).toHaveLength(102 * 160);
    expect(stats.read()).toMatchObject({ packetsLate: 1 });
  });

  test('duplicates and packets that come too late are left out and counted', () => {
    talk(0, 4, 0);
    packet(3, 480, speech(3), 81);
    packet(65_535, -160, speech(9), 82);
    expect(heard).toEqual(allSpeech(0, 4));
    expect(stats.read()).toMatchObject({ packetsDuplicated: 1, packetsLate: 1, packetsReceived: 6 });
  });

  test('sequence and timestamp wrap without a seam', () => {
    talk(65_530, 65_545, 0, 0xffff_ffff - 800);
    expect(heard).toEqual(allSpeech(65_530, 65_545));
    expect(stats.read().packetsLost).toBe(0);
  });

  test('a new SSRC is followed at once, whatever its numbers', () => {
    talk(0, 5, 0);
    packet(40_000, 123_456_789, speech(40_000), 100, { ssrc: 2 });
    packet(40_001, 123_456_949, speech(40_001), 120, { ssrc: 2 });
    expect(heard).toEqual([...allSpeech(0, 5), ...allSpeech(40_000, 40_002)]);
    // Numbers that the first one had are no duplicates.
    packet(0, 0, speech(77), 140, { ssrc: 3 });
    expect(heard.slice(-160)).toEqual([...speech(77)]);
    expect(stats.read().packetsLost).toBe(0);
  });

  test('a sequence that starts again elsewhere is believed when a second packet follows', () => {
    talk(5000, 5005, 0);
    talk(100, 105, 100, 5005 * 160);
    expect(heard).toEqual(
      [...allSpeech(5000, 5005), ...allSpeech(101, 105)].toSpliced(800, 0, ...Array(160).fill(SILENCE)),
    );
  });

  test('neither a stray packet nor a restart far ahead counts as thousands of lost ones', () => {
    talk(0, 5, 0);
    packet(20_000, 99_999_999, speech(1), 100);
    talk(5, 10, 100);
    talk(40_000, 40_005, 200, 10 * 160);
    expect(between(0, 10)).toBeGreaterThan(0);
    expect(Buffer.from(heard).includes(Buffer.from(allSpeech(40_001, 40_005)))).toBe(true);
    expect(stats.read()).toMatchObject({ packetsLost: 0, packetsLate: 2 });
  });

  test('payload beyond 60 ms is refused', () => {
    packet(0, 0, speech(0, 481), 0);
    expect(heard).toEqual([]);
    expect(stats.read()).toMatchObject({ packetsDroppedInvalid: 1, packetsReceived: 0 });
  });
});

describe('another codec', () => {
  test('counts from its first packet on: what is still on its way in the one before is heard', () => {
    talk(0, 5, 0);
    stream.configure('PCMA', false, 95);
    for (const n of [5, 6]) packet(n, n * 160, speech(n), n * 20, { kind: 'former' });
    expect(heard).toEqual(allSpeech(0, 7));
    packet(7, 7 * 160, speech(7), 140);
    expect(heard.slice(-160)).toEqual([...speech(7)].map((byte) => mulawOfAlaw[byte]));
    const before = heard.length;
    packet(8, 8 * 160, speech(8), 160, { kind: 'former' });
    expect(heard).toHaveLength(before);
    expect(stats.read()).toMatchObject({ packetsReceived: 9, packetsLost: 0, packetsDroppedInvalid: 0 });
  });

  test('that never comes changes nothing, and the one before may come back', () => {
    talk(0, 5, 0);
    stream.configure('PCMA', false, 95);
    stream.configure('PCMU', false, 96);
    talk(5, 10, 100);
    expect(heard).toEqual(allSpeech(0, 10));
  });
});

describe('time', () => {
  test('before the first packet silence keeps time, 200 ms behind the clock', () => {
    for (let now = 0; now <= 1000; now += 20) poll(now);
    expect(heard).toEqual(Array(6400).fill(SILENCE));
  });

  test('a peer that sends nothing while it is silent (DTX) loses no time', () => {
    talk(0, 50, 0);
    for (let now = 1000; now < 4000; now += 20) poll(now);
    talk(50, 100, 4000, 4000 * 8);
    expect(heard.slice(0, 8000)).toEqual(allSpeech(0, 50));
    expect(heard).toHaveLength(5000 * 8);
    expect(heard.slice(8000 + 480, -8000)).toEqual(Array(3000 * 8 - 480).fill(SILENCE));
    expect(stats.read().concealedMs).toBe(0);
    expect(heard.slice(-8000)).toEqual(allSpeech(50, 100));
  });

  test('a short DTX gap is filled by the timestamp alone', () => {
    talk(0, 2, 0);
    packet(2, 320 + 1200, speech(2), 190);
    expect(heard).toEqual([...allSpeech(0, 2), ...Array(1200).fill(SILENCE), ...speech(2)]);
  });

  test('a peer that pauses without counting time goes on at once', () => {
    talk(0, 50, 0);
    for (let now = 1000; now < 3000; now += 20) poll(now);
    const before = heard.length;
    packet(50, 50 * 160, speech(50), 3000);
    expect(heard.slice(before)).toEqual([...speech(50)]);
  });

  test('timestamps that jump by hours, or back, are no reason for hours of silence', () => {
    talk(0, 5, 0);
    packet(5, 5 * 160 + 8000 * 7200, speech(5), 100);
    packet(6, 17, speech(6), 120);
    packet(7, 177, speech(7), 140);
    expect(heard).toEqual(allSpeech(0, 8));
  });

  test('speech of a stalled network is kept, and its surplus worked off in silence', () => {
    talk(0, 50, 0);
    for (let now = 1000; now < 2000; now += 20) poll(now);
    for (let n = 50; n < 100; n++) packet(n, n * 160, speech(n), 2000);
    expect(between(0, 100)).toBeGreaterThan(0);
    const surplus = heard.length - 2000 * 8;
    expect(surplus).toBeGreaterThan(700 * 8);
    // 1 s of speech, then quiet: packets that carry silence.
    talk(100, 150, 2000);
    for (let n = 150; n < 300; n++) packet(n, n * 160, new Uint8Array(160).fill(SILENCE), n * 20);
    expect(between(0, 150)).toBeGreaterThan(0);
    expect(heard.length - 300 * 160).toBeLessThan(50 * 8);
    expect(heard.length - 300 * 160).toBeGreaterThan(-200 * 8);
  });

  test('a surplus is worked off in a pause without packets (DTX) too', () => {
    talk(0, 50, 0);
    for (let now = 1000; now < 2000; now += 20) poll(now);
    for (let n = 50; n < 100; n++) packet(n, n * 160, speech(n), 2000);
    for (let now = 2000; now < 4000; now += 20) poll(now);
    packet(100, 4000 * 8, speech(100), 4000);
    expect(between(0, 101)).toBeGreaterThan(0);
    expect(Math.abs(heard.length - 4020 * 8)).toBeLessThan(50 * 8);
  });

  test('after a stall of ours the packets that waited come before any silence', () => {
    talk(0, 50, 0);
    poll(2000);
    for (let n = 50; n < 101; n++) packet(n, n * 160, speech(n), 2000);
    expect(between(0, 101)).toBeLessThanOrEqual(320);
  });

  test('a pause between words keeps at least 60 ms while a surplus is worked off', () => {
    talk(0, 50, 0);
    for (let now = 1000; now < 2000; now += 20) poll(now);
    for (let n = 50; n < 100; n++) packet(n, n * 160, speech(n), 2000);
    const before = heard.length;
    for (let n = 100; n < 110; n++) packet(n, n * 160, new Uint8Array(160).fill(SILENCE), n * 20);
    packet(110, 110 * 160, speech(110), 2200);
    expect(heard.slice(before)).toEqual([...Array(480).fill(SILENCE), ...speech(110)]);
  });

  test.each([-300, -200, 200, 300])(
    'two hours with a clock that is off by %i ppm: nothing added or lost',
    (ppm) => {
      const words = speech(1);
      const quiet = new Uint8Array(160).fill(SILENCE);
      const packets = 2 * 3600 * 50;
      let bytes = 0;
      const out = new Uint8Array(8192);
      const header = { payloadType: 0, marker: false, ssrc: 1, payloadOffset: 0, payloadLength: 160 };
      for (let n = 0; n < packets; n++) {
        // With 15 ms of jitter.
        const now = n * 20 * (1 + ppm / 1e6) + (n % 7) * 2.5;
        stream.poll(now);
        // Every 10 s the party is silent for one: silence that a wrong clock would leave out.
        const payload = n % 500 < 50 ? quiet : words;
        stream.packet(
          { ...header, sequence: n & 0xffff, timestamp: (n * 160) >>> 0 },
          payload,
          'speech',
          now,
        );
        bytes += ring.read(out);
      }
      expect(bytes).toBe(packets * 160);
      expect(stats.read()).toMatchObject({ packetsLost: 0, packetsLate: 0, packetsDuplicated: 0 });
    },
  );

  test('on hold nothing is written, and the time of the hold is not made up for', () => {
    talk(0, 5, 0);
    stream.configure('PCMU', true, 100);
    talk(5, 20, 100);
    for (let now = 400; now < 60_000; now += 20) poll(now);
    expect(heard).toEqual(allSpeech(0, 5));
    stream.configure('PCMU', false, 60_000);
    poll(60_010);
    talk(20, 25, 60_020, 60_000 * 8);
    expect(heard).toEqual([...allSpeech(0, 5), ...allSpeech(20, 25)]);
  });

  test('telephone-event counts as received, and is never heard', () => {
    talk(0, 5, 0);
    for (let n = 5; n < 10; n++) packet(n, 800, speech(n, 4), n * 20, { kind: 'event' });
    packet(10, 10 * 160, speech(10), 200);
    expect(heard).toEqual([...allSpeech(0, 5), ...Array(800).fill(SILENCE), ...speech(10)]);
    expect(stats.read()).toMatchObject({ packetsReceived: 11, packetsLost: 0 });
  });
});

describe('key presses', () => {
  test('that take the place of speech are a pause, whatever is lost of them', () => {
    talk(0, 50, 0);
    for (let n = 50; n < 65; n++) {
      if (n % 3 > 0) packet(n, 50 * 160, speech(n, 4), n * 20, { kind: 'event' });
      poll(n * 20 + 10);
    }
    talk(66, 80, 66 * 20);
    expect(heard).toEqual([...allSpeech(0, 50), ...Array(16 * 160).fill(SILENCE), ...allSpeech(66, 80)]);
    expect(stats.read()).toMatchObject({ packetsLost: 6, concealedMs: 0, packetsLate: 0 });
  });

  test('change neither what RTCP tells nor how long a missing packet is waited for', () => {
    talk(0, 300, 0);
    const { jitterMs, jitterTargetMs } = stats.read();
    const start = 300 * 160;
    for (let n = 300; n < 310; n++) packet(n, start, speech(n, 4), n * 20 + (n % 3) * 5, { kind: 'event' });
    for (const n of [310, 311, 312]) packet(n, start, speech(n, 4), 6185, { kind: 'event' });
    talk(313, 330, 6200, 310 * 160);
    expect(stats.read()).toMatchObject({ jitterMs, jitterTargetMs, packetsLost: 0, packetsReceived: 330 });
    expect(stream.report()).toMatchObject({ totalLost: 0, fractionLost: 0, highestSequence: 329 });
  });
});

describe('comfort noise', () => {
  /** dBov of what was heard from `from` on. */
  const level = (from: number, to: number): number => {
    const samples = mulawToLinear(Uint8Array.from(heard.slice(from, to)));
    return (
      10 * Math.log10(samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length / 32_768 ** 2)
    );
  };

  test('of the level that was told fills the pause until speech comes again', () => {
    talk(0, 50, 0);
    packet(50, 50 * 160, Uint8Array.of(40), 1000, { kind: 'noise' });
    for (let now = 1020; now < 3000; now += 20) poll(now);
    talk(51, 60, 3000, 3000 * 8);
    expect(heard).toHaveLength(3180 * 8);
    expect(Math.abs(level(8000, 24_000) + 40)).toBeLessThan(0.5);
    expect(heard.slice(-1440)).toEqual(allSpeech(51, 60));
    expect(stats.read()).toMatchObject({ packetsReceived: 60, packetsLost: 0, concealedMs: 0 });
  });

  test('changes its level while it lasts, and is over with the first packet of speech', () => {
    talk(0, 50, 0);
    packet(50, 50 * 160, Uint8Array.of(35), 1000, { kind: 'noise' });
    for (let now = 1020; now < 2000; now += 20) poll(now);
    const change = heard.length;
    packet(51, 16_000, Uint8Array.of(60), 2000, { kind: 'noise' });
    for (let now = 2020; now < 3000; now += 20) poll(now);
    expect(Math.abs(level(8000, change) + 35)).toBeLessThan(0.5);
    expect(Math.abs(level(change, heard.length) + 60)).toBeLessThan(1);
    talk(52, 60, 3000, 3000 * 8);
    const end = heard.length;
    for (let now = 3160; now < 4000; now += 20) poll(now);
    expect(heard.slice(end + 480)).toEqual(Array(heard.length - end - 480).fill(SILENCE));
  });
});

describe('a network that delays by whim', () => {
  /** Packets as they arrive when each takes up to `jitter` ms; of each hundred `lost` never do. */
  function arrivals(packets: number, jitter: number, lost: number) {
    let state = 11;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    return Array.from({ length: packets }, (_, n) => ({ n, at: n * 20 + random() * jitter }))
      .filter(() => random() >= lost / 100)
      .sort((a, b) => a.at - b.at);
  }

  function run(packets: number, jitter: number, lost: number): void {
    let polled = 0;
    for (const { n, at } of arrivals(packets, jitter, lost)) {
      for (; polled < at; polled += 20) poll(polled);
      packet(n, n * 160, speech(n), at);
    }
    poll(polled);
    poll(polled + 200);
  }

  test.each([40, 90])('is waited for: hardly a packet is late with %i ms of jitter', (jitter) => {
    run(3000, jitter, 0);
    const { packetsLate, packetsLost, jitterTargetMs } = stats.read();
    expect(packetsLate).toBeLessThan(30);
    expect(packetsLost).toBe(0);
    expect(jitterTargetMs).toBeGreaterThan(20);
    expect(jitterTargetMs).toBeLessThanOrEqual(jitter + 10);
    expect(heard).toHaveLength(3000 * 160);
  });

  test('and loses keeps time all the same, with what was lost made up', () => {
    run(3000, 40, 5);
    const { packetsLate, packetsLost, concealedMs } = stats.read();
    expect(packetsLost).toBeGreaterThan(100);
    expect(concealedMs).toBe((packetsLost + packetsLate) * 20);
    expect(heard).toHaveLength(3000 * 160);
  });
});

describe('speech that comes faster than anybody speaks', () => {
  /** Silence of 60 ms; Opus says so in its first byte. */
  const silence = {
    PCMU: new Uint8Array(480).fill(SILENCE),
    G722: new Uint8Array(480),
    opus: Uint8Array.of(0x18, 0, 0),
  };
  let sent: number;
  beforeEach(() => {
    sent = 0;
  });

  /** So many packets at once. @returns how many of them are dropped */
  function flood(now: number, count: number, payload = silence.PCMU): number {
    const before = stats.read().packetsDroppedOverrun;
    for (let n = 0; n < count; n++, sent++) packet(sent, sent * 480, payload, now);
    return stats.read().packetsDroppedOverrun - before;
  }

  test.each(['PCMU', 'G722', 'opus'] as const)('is dropped and counted beyond 10 s of it: %s', (codec) => {
    stream.configure(codec, false, 0);
    expect(flood(0, 1000, silence[codec])).toBe(1000 - Math.ceil(10_000 / 60));
  });

  test('is taken at twice the speed of time from then on', () => {
    flood(0, 1000);
    for (const now of [600, 1200, 1800]) expect(flood(now, 100)).toBe(100 - 20);
  });

  test('does not keep what comes afterwards from being heard', () => {
    flood(0, 1000);
    talk(sent, sent + 50, 1000, sent * 480);
    expect(() => between(sent, sent + 50)).not.toThrow();
  });
});

test('a ring that nobody reads drops speech and counts it', () => {
  for (let n = 0; n < 60; n++)
    stream.packet(
      {
        payloadType: 0,
        marker: false,
        sequence: n,
        timestamp: n * 160,
        ssrc: 1,
        payloadOffset: 0,
        payloadLength: 160,
      },
      speech(n),
      'speech',
      n * 20,
    );
  expect(ring.readable).toBe(8192);
  expect(stats.read().packetsDroppedOverrun).toBe(9);
});

describe('latency', () => {
  /** That what has been heard so far was ready so many ms ago, as the reader of the ring sees it at `now`. */
  const expectReady = (ms: number, now: number): void => {
    ring.latency.count(ring.taken, now);
    const found = percentilesOf(ring.latency.read())?.p50;
    expect(found).toBeGreaterThanOrEqual(ms * 0.99);
    expect(found).toBeLessThanOrEqual(ms * 1.1);
  };

  test('counts from the arrival of a packet that is in order', () => {
    packet(0, 0, speech(0), 100);
    expectReady(8, 108);
  });

  test('does not count what a packet has waited for another that came, or was worth waiting for', () => {
    packet(0, 0, speech(0), 0);
    packet(2, 320, speech(2), 30);
    packet(1, 160, speech(1), 60);
    expectReady(8, 68);
  });

  test('counts what it waited longer than that', () => {
    packet(0, 0, speech(0), 0);
    packet(2, 320, speech(2), 40);
    // It is given up 60 ms after the packet behind it came; the poll is later by 16.
    poll(116);
    expectReady(16, 116);
  });

  test('of what the clock puts in nothing is counted but its own way', () => {
    packet(0, 0, speech(0), 0);
    poll(500);
    expectReady(4, 504);
  });
});
