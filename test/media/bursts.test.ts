import { describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { DirectVoice } from '../../src/media/direct-voice.ts';
import { MessageArrivals } from '../../src/media/message-arrivals.ts';
import { SaidStream } from '../../src/media/said-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { randomFrom } from '../fuzz/random.ts';
import { encode } from '../support/g711.ts';
import { tone } from '../support/tones.ts';

/** How streams that come in bursts are heard directly, by another leg of their worker. */
const PACKET = 160;
const PER_MS = 8;
const SILENCE = 0xff;
const WORD_MS = 600;
const EVERY_MS = 1000;
const word = Buffer.from(encode('PCMU', tone(400, WORD_MS)));
/** A word of 600 ms in every second. */
const speech = (seconds: number): Buffer =>
  Buffer.concat(
    Array.from({ length: seconds }, () =>
      Buffer.concat([word, Buffer.alloc((EVERY_MS - WORD_MS) * PER_MS, SILENCE)]),
    ),
  );

interface Path {
  seconds: number;
  /** Of a message. */
  ms: number;
  /** What comes before: seconds of messages of any length at any time. */
  storm?: { seconds: number; seed: number };
  /** ms by which a message is late; they stay in order. */
  late?: (message: number) => number;
  /** By how much the client's clock is fast. */
  ppm?: number;
}

/** A stream, and one who hears it directly. */
function open() {
  const said = AudioRing.create(16_384);
  const inbound = AudioRing.create(16_384);
  const [speaker, listener] = [StatsBlock.create(), StatsBlock.create()];
  const stream = new SaidStream(said, 'PCMU', inbound, MULAW_8K, speaker, 0);
  const heard = new DirectVoice(stream.voice, 8000, listener);
  heard.start();
  const into = new Int16Array(PACKET);
  const sounds: boolean[] = [];
  const say = (audio: Uint8Array, now: number) => {
    said.write(audio);
    said.latency.note(said.written, now);
  };
  /** Every 5 ms. */
  const tick = (now: number) => {
    stream.poll(now);
    inbound.drop();
    if (now % 20 !== 0) return;
    heard.read(into, PACKET);
    sounds.push(into.some((sample) => Math.abs(sample) > 1000));
  };
  const dropped = () => listener.read().directDroppedMs;
  return { sounds, say, tick, dropped, target: () => speaker.read().jitterTargetMs };
}

/** Runs a client's messages and our ticks against each other. @returns which packets that were heard sound */
function run({ seconds, ms, late = () => 0, ppm = 0, storm = { seconds: 0, seed: 0 } }: Path) {
  const { sounds, say, tick, dropped, target } = open();
  const random = randomFrom(storm.seed);
  for (let now = 0; now < storm.seconds * 1000; now += 5) {
    if (random(12) === 0) say(word.subarray(0, random(3) === 0 ? 4800 : random(500)), now);
    tick(now);
  }
  sounds.length = 0;
  const before = dropped();
  const audio = speech(seconds);
  const step = ms / (1 + ppm / 1e6);
  const start = storm.seconds * 1000;
  let sent = 0;
  let due = start + ms + late(0);
  for (let now = start; now < start + seconds * 1000 + 1000; now += 5) {
    for (; due <= now && sent * ms * PER_MS < audio.length; ) {
      say(audio.subarray(sent * ms * PER_MS, (sent + 1) * ms * PER_MS), now);
      sent++;
      due = Math.max(due, start + ms + sent * step + late(sent));
    }
    tick(now);
  }
  return { sounds, dropped: dropped() - before, target: target() };
}

/** Words as they were heard: when they began, and how long they were, ms; what is broken is more of them. */
function wordsOf(sounds: boolean[]): { at: number; ms: number }[] {
  const words: { at: number; ms: number }[] = [];
  sounds.forEach((isLoud, i) => {
    if (!isLoud) return;
    const last = words.at(-1);
    if (last && sounds[i - 1]) last.ms += 20;
    else words.push({ at: i * 20, ms: 20 });
  });
  return words;
}

test.each([
  [20, 60],
  [60, 140],
  [100, 180],
  [200, 290],
])('messages of %i ms are heard whole, and no later than %i ms after they were said', (ms, most) => {
  const { sounds, dropped } = run({ seconds: 30, ms });
  const words = wordsOf(sounds);
  expect([words.length, dropped]).toEqual([30, 0]);
  for (const [n, { at, ms: length }] of words.entries()) {
    expect(Math.abs(length - WORD_MS)).toBeLessThanOrEqual(40);
    expect(at - n * EVERY_MS).toBeLessThanOrEqual(most);
    expect(at - n * EVERY_MS).toBeGreaterThan(0);
  }
});

test.each([
  [20, 60],
  [100, 80],
  [200, 150],
])('messages of %i ms that are late by %i ms at most are heard whole after a while', (ms, most) => {
  const random = randomFrom(ms + most);
  const { sounds, dropped, target } = run({ seconds: 60, ms, late: () => random(most) });
  const words = wordsOf(sounds).filter(({ at }) => at >= 20_000);
  expect(words.length).toBeGreaterThanOrEqual(40);
  expect(words.length).toBeLessThanOrEqual(43);
  expect(dropped).toBe(0);
  expect(target).toBeLessThanOrEqual(most + 20);
  // A second behind would be another conversation.
  for (const { at } of words) expect(at % EVERY_MS).toBeLessThan(ms + 2 * most + 100);
});

test.each([300, -300])("a client's clock that is off by %i ppm costs no word in ten minutes", (ppm) => {
  const { sounds, dropped } = run({ seconds: 600, ms: 100, ppm });
  expect([wordsOf(sounds).length, dropped]).toEqual([600, 0]);
});

test('after a stall of a second what has gathered is worked off, and words come in time again', () => {
  const stall = (n: number) => (n >= 50 && n < 60 ? (60 - n) * 100 : 0);
  const { sounds } = run({ seconds: 40, ms: 100, late: stall });
  const late = wordsOf(sounds).filter(({ at }) => at >= 20_000);
  expect(late).toHaveLength(20);
  for (const { at } of late) expect(at % EVERY_MS).toBeLessThan(500);
});

test.each(Array.from({ length: 10 }, (_, seed) => [seed]))(
  'whatever came before, words are heard whole and in time after a while: seed %i',
  (seed) => {
    const { sounds } = run({ seconds: 60, ms: 20 * (1 + (seed % 10)), storm: { seconds: 20, seed } });
    const words = wordsOf(sounds).filter(({ at }) => at >= 40_000);
    expect(words).toHaveLength(20);
    for (const { at, ms } of words) {
      expect(at % EVERY_MS).toBeLessThan(600);
      expect(Math.abs(ms - WORD_MS)).toBeLessThanOrEqual(40);
    }
  },
);

describe('what is known of the messages of a stream', () => {
  const feed = (arrivals: MessageArrivals, count: number, ms: number, late = (_n: number) => 0, from = 0) => {
    for (let n = 0; n < count; n++) arrivals.observe(from + n * ms + late(n), ms);
  };

  test('how late they come, and that it is forgotten', () => {
    const arrivals = new MessageArrivals();
    feed(arrivals, 200, 20, (n) => (n % 10 === 9 ? 90 : 0));
    expect(arrivals.targetMs).toBeGreaterThan(80);
    expect(arrivals.targetMs).toBeLessThan(100);
    expect(arrivals.jitterMs).toBeGreaterThan(5);
    feed(arrivals, 1000, 20, undefined, 4000);
    expect(arrivals.targetMs).toBe(20);
  });

  test('how much comes at once, where that is more than a packet', () => {
    const arrivals = new MessageArrivals();
    feed(arrivals, 10, 20);
    expect(arrivals.burstMs).toBe(0);
    feed(arrivals, 1, 5000, undefined, 10_000);
    expect(arrivals.burstMs).toBe(1000);
    feed(arrivals, 400, 100, undefined, 20_000);
    expect(arrivals.burstMs).toBe(100);
  });

  test('a pause of the sender is no lateness', () => {
    const arrivals = new MessageArrivals();
    feed(arrivals, 100, 20);
    feed(arrivals, 100, 20, undefined, 9000);
    expect([arrivals.targetMs, Math.round(arrivals.jitterMs)]).toEqual([20, 0]);
  });
});
