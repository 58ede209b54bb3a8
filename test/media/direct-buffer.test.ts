import { beforeEach, describe, expect, test } from 'vitest';
import { DirectBuffer } from '../../src/media/direct-buffer.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';

/** 8 kHz; a packet is 20 ms. */
const PACKET = 160;
const TONE_HZ = 400;
const AMPLITUDE = 8000;
/** The largest step between two samples of the tone, and of its first sample. */
const TONE_STEP = (AMPLITUDE * 2 * Math.PI * TONE_HZ) / 8000;
let stats: StatsBlock;
let buffer: DirectBuffer;

beforeEach(() => {
  stats = StatsBlock.create();
  buffer = new DirectBuffer(8000, stats);
});

type Signal = (index: number) => number;
const tone: Signal = (i) => Math.round(AMPLITUDE * Math.sin((2 * Math.PI * TONE_HZ * i) / 8000));
/** A word of 600 ms in every second. */
const words: Signal = (i) => (i % 8000 < 4800 ? tone(i) : 0);
/** Tells which sample it is; never silence. */
const numbered: Signal = (i) => 1000 + (i % 16_000);

interface Path {
  seconds: number;
  signal: Signal;
  /** ms by which the first packet comes after the first tick. */
  phase?: number;
  /** By how much the peer's clock is fast. */
  ppm?: number;
  packet?: number;
  /** ms by which a packet is late; packets stay in order. */
  late?: (packet: number) => number;
}

/** Runs a peer's packets and our ticks of 20 ms against each other. @returns what was played, and when each packet came */
function run({ seconds, signal, phase = 7, ppm = 0, packet = PACKET, late = () => 0 }: Path) {
  const heard: number[] = [];
  const cameAt: number[] = [];
  const into = new Int16Array(PACKET);
  const step = packet / 8 / (1 + ppm / 1e6);
  let due = phase + late(0);
  for (let now = 0; now < seconds * 1000; now += 20) {
    for (; due <= now; ) {
      const at = cameAt.length * packet;
      buffer.write(
        Int16Array.from({ length: packet }, (_, i) => signal(at + i)),
        packet,
      );
      cameAt.push(due);
      due = Math.max(due, phase + cameAt.length * step + late(cameAt.length));
    }
    buffer.read(into, PACKET);
    heard.push(...into);
  }
  return { heard, cameAt };
}

/** The largest step between neighbours. */
function largestStep(samples: number[]): number {
  let largest = 0;
  for (let i = 1; i < samples.length; i++) {
    largest = Math.max(largest, Math.abs((samples[i] as number) - (samples[i - 1] as number)));
  }
  return largest;
}

/** ms from the arrival of each word's first sample to the tick at which it was played; in the order of the words. */
function wordDelays({ heard, cameAt }: ReturnType<typeof run>, packet = PACKET): number[] {
  const onsets: number[] = [];
  for (let i = 0, quiet = 800; i < heard.length; i++) {
    if (Math.abs(heard[i] as number) < 1000) quiet++;
    else {
      if (quiet >= 800) onsets.push(i);
      quiet = 0;
    }
  }
  return onsets.map((onset, n) => {
    const played = Math.floor(onset / PACKET) * 20;
    return played - (cameAt[Math.floor((n * 8000) / packet)] as number);
  });
}

describe('a steady stream', () => {
  test.each([0, 1, 7, 13, 19])(
    'waits for 20 to 40 ms and is what was said, %i ms after our tick',
    (phase) => {
      const { heard, cameAt } = run({ seconds: 3, signal: numbered, phase });
      const begin = heard.findIndex((sample) => sample !== 0);
      // The beginning comes up out of silence within 5 ms.
      const exact = heard.slice(begin + 40);
      expect(exact).toEqual(exact.map((_, i) => numbered(i + 40)));
      heard.slice(begin).forEach((_, i) => {
        const delay = Math.floor((begin + i) / PACKET) * 20 - (cameAt[Math.floor(i / PACKET)] as number);
        expect(delay).toBeGreaterThanOrEqual(20);
        expect(delay).toBeLessThanOrEqual(40);
      });
    },
  );

  test.each([80, 240, 480])('of packets of %i samples is heard without a gap', (packet) => {
    const { heard } = run({ seconds: 3, signal: numbered, packet });
    const tail = heard.slice(8000);
    const first = (tail[0] as number) - 1000;
    expect(tail).toEqual(tail.map((_, i) => numbered(first + i)));
  });
});

describe('clocks that differ', () => {
  test.each([500, -500])('by %i ppm for five minutes: no word is delayed, cut or clicked', (ppm) => {
    const result = run({ seconds: 300, signal: words, ppm });
    const delays = wordDelays(result);
    expect(delays.length).toBeGreaterThan(297);
    // The sound of the first samples is below what is taken for a word: so a tick less may be seen.
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(60);
    expect(largestStep(result.heard)).toBeLessThan(TONE_STEP * 1.1);
    expect(stats.read().directDroppedMs).toBe(0);
  });

  test.each([500, -500])('by %i ppm, with a tone that never rests: it goes on without a click', (ppm) => {
    const { heard } = run({ seconds: 120, signal: tone, ppm });
    expect(largestStep(heard)).toBeLessThan(TONE_STEP * 1.5);
    const loud = heard.slice(8000).filter((sample) => Math.abs(sample) > AMPLITUDE / 2).length;
    // A sine is beyond half of its amplitude for two thirds of the time.
    expect(loud / (heard.length - 8000)).toBeGreaterThan(0.66);
    // What is left out is what came too much, and what waits longer is no more than a packet or two.
    expect(stats.read().directDroppedMs).toBeLessThan(120_000 * 0.0005 + 20);
  });
});

describe('a network', () => {
  test('that delays a packet now and then costs a moment, and no click', () => {
    const { heard } = run({ seconds: 60, signal: tone, late: (n) => (n % 150 === 149 ? 55 : 0) });
    expect(largestStep(heard)).toBeLessThan(TONE_STEP * 1.5);
    // A stretch of 5 ms in which nothing is heard.
    let [silent, quiet] = [0, 0];
    for (const sample of heard.slice(8000)) {
      quiet = Math.abs(sample) < 100 ? quiet + 1 : 0;
      if (quiet === 40) silent++;
    }
    expect(silent).toBe(0);
  });

  test('that stalls for a second and then brings it all leaves no more than 160 ms waiting', () => {
    const result = run({
      seconds: 4,
      signal: numbered,
      late: (n) => Math.max(0, n < 50 ? 0 : 1000 - (n - 50) * 20),
    });
    expect(stats.read().directDroppedMs).toBeGreaterThan(500);
    const last = (result.heard.at(-1) as number) - 1000;
    const written = result.cameAt.length * PACKET;
    expect((written - last) % 16_000).toBeLessThanOrEqual(160 * 8 + PACKET);
  });

  test('after which the next silences make up for what is late', () => {
    const result = run({ seconds: 12, signal: words, late: (n) => (n >= 60 && n < 64 ? 120 : 0) });
    const delays = wordDelays(result);
    expect(delays.at(-1)).toBeLessThanOrEqual(60);
    expect(largestStep(result.heard)).toBeLessThan(TONE_STEP * 1.5);
  });
});

describe('pauses', () => {
  const read = (): Int16Array => {
    const into = new Int16Array(PACKET);
    buffer.read(into, PACKET);
    return into;
  };
  const write = (value: number, packets = 1): void => {
    for (let i = 0; i < packets; i++) buffer.write(new Int16Array(PACKET).fill(value), PACKET);
  };

  test('a voice that ends dies away and is silence', () => {
    write(5000, 2);
    read();
    write(5000);
    const into = new Int16Array(PACKET);
    const sounds = Array.from({ length: 10 }, () => buffer.read(into, PACKET));
    expect(sounds.at(-1)).toBe(false);
    expect(into.every((sample) => sample === 0)).toBe(true);
  });

  test('time that was filled with silence in one go delays nothing', () => {
    write(5000, 2);
    for (let i = 0; i < 20; i++) read();
    // What a receiver writes when a peer speaks again that had stopped sending.
    write(0, 10);
    write(7000, 1);
    read();
    write(7000, 1);
    expect(read().some((sample) => sample > 6000)).toBe(true);
    expect(stats.read().directDroppedMs).toBe(0);
  });

  test('what was cleared is not heard', () => {
    write(5000, 2);
    read();
    write(5000, 3);
    buffer.clear();
    write(7000, 2);
    expect(read().every((sample) => sample === 7000 || sample < 7000)).toBe(true);
    expect(read()).toEqual(new Int16Array(PACKET).fill(7000));
  });

  test('silence is put in once for a stream that has stopped, and not for ever', () => {
    write(20, 2);
    const into = new Int16Array(PACKET);
    const sounds = Array.from({ length: 20 }, () => buffer.read(into, PACKET));
    expect(sounds.slice(-5)).toEqual(Array(5).fill(false));
  });
});
