import { beforeEach, describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { mulawOfAlaw } from '../../src/audio/g711.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { StreamCodec } from '../../src/media/media-port.ts';
import { SaidStream } from '../../src/media/said-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { percentilesOf } from '../../src/telemetry/latency-histogram.ts';
import { randomFrom } from '../fuzz/random.ts';

const SILENCE = 0xff;
const PER_MS = 8;

/** A stream whose messages come when they are told to, and whose clock is looked at every 5 ms. */
class Rig {
  readonly stats = StatsBlock.create();
  readonly heard: number[] = [];
  now = 0;
  readonly #said = AudioRing.create(16_384);
  readonly #inbound = AudioRing.create(16_384);
  readonly stream: SaidStream;
  #spoken = 0;

  constructor(codec: StreamCodec = 'PCMU') {
    this.stream = new SaidStream(this.#said, codec, this.#inbound, MULAW_8K, this.stats, 0);
  }

  /** Speech: bytes that tell where they stand and are never silence. */
  speech(ms: number): Uint8Array {
    return Uint8Array.from({ length: ms * PER_MS }, () => (this.#spoken++ % 100) + 1);
  }

  say(audio: Uint8Array): void {
    this.#said.write(audio);
    this.#said.latency.note(this.#said.written, this.now);
  }

  /** Lets time pass. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 5;
      this.listen();
    }
  }

  listen(): void {
    this.stream.poll(this.now);
    const bytes = new Uint8Array(this.#inbound.readable);
    this.#inbound.read(bytes);
    this.#inbound.latency.count(this.#inbound.taken, this.now);
    for (const byte of bytes) this.heard.push(byte);
  }

  get latency() {
    return percentilesOf(this.#inbound.latency.read());
  }

  get spokenBytes(): number {
    return this.#spoken;
  }

  /** What was heard without the silence. */
  get words(): number[] {
    return this.heard.filter((byte) => byte !== SILENCE);
  }
}

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

const counted = (from: number, length: number): number[] =>
  Array.from({ length }, (_, i) => ((from + i) % 100) + 1);

test.each([20, 100, 200, 33])('a message of %i ms is heard as it is, as soon as it comes', (ms) => {
  rig.pass(1000);
  rig.heard.length = 0;
  for (let n = 0; n < 20; n++) {
    rig.say(rig.speech(ms));
    rig.listen();
    expect(rig.heard.slice(-ms * PER_MS)).toEqual(counted(n * ms * PER_MS, ms * PER_MS));
    rig.pass(ms - (ms % 5));
  }
  expect(rig.stats.read()).toMatchObject({ packetsReceived: 20, bytesReceived: 20 * ms * PER_MS });
});

test('A-law is heard as the mu-law that stands for it', () => {
  rig = new Rig('PCMA');
  rig.say(Uint8Array.from([1, 2, 0x55]));
  rig.listen();
  expect(rig.heard).toEqual([1, 2, 0x55].map((code) => mulawOfAlaw[code]));
});

test('while nobody sends anything it is silent, and as long as time', () => {
  rig.pass(10_000);
  expect(rig.heard.length).toBeGreaterThan(9700 * PER_MS);
  expect(rig.heard.length).toBeLessThanOrEqual(10_000 * PER_MS);
  expect(rig.words).toEqual([]);
});

test('a sender that pauses is heard on when it goes on, and time has passed meanwhile', () => {
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 10; n++) {
      rig.pass(100);
      rig.say(rig.speech(100));
      rig.listen();
    }
    rig.pass(3000);
  }
  const seconds = rig.heard.length / PER_MS / 1000;
  expect(seconds).toBeGreaterThan(19.6);
  expect(seconds).toBeLessThan(20.4);
  // What is carried on where a word ends is all that was made up.
  expect(rig.stats.read().concealedMs).toBeLessThanOrEqual(6 * 60);
});

test.each([
  ['100 ms at a time', 100, 80],
  ['200 ms at a time', 200, 150],
  ['20 ms at a time', 20, 150],
])('%s, each late by its own: every word is heard, in order', (_title, ms, most) => {
  const random = randomFrom(ms);
  let due = ms;
  rig.pass(ms);
  for (let n = 0; n < 300; n++) {
    rig.say(rig.speech(ms));
    rig.listen();
    const next = ms * (n + 2) + random(most);
    rig.pass(Math.max(5, 5 * Math.round((next - due) / 5)));
    due = Math.max(due + 5, 5 * Math.round(next / 5));
  }
  // What was made up in between is not in the order of what was said.
  expect(inOrder(rig.heard, rig.spokenBytes)).toBe(true);
  expect(rig.stats.read().packetsDroppedOverrun).toBe(0);
  expect(rig.stats.read().jitterMs).toBeGreaterThan(0);
});

/** Whether all that was spoken is in what was heard, one piece of 40 samples after the other. */
function inOrder(heard: number[], spoken: number): boolean {
  const bytes = Buffer.from(heard);
  let at = 0;
  for (let from = 0; from + 40 <= spoken; from += 40) {
    const found = bytes.indexOf(Buffer.from(counted(from, 40)), at);
    if (found < 0) return false;
    at = found + 40;
  }
  return true;
}

test('a stall of the network is heard after it, and worked off in the next silence', () => {
  const quiet = new Uint8Array(20 * PER_MS).fill(SILENCE);
  const talk = (ms: number, make: () => Uint8Array) => {
    for (let at = 0; at < ms; at += 20) {
      rig.pass(20);
      rig.say(make());
    }
  };
  talk(1000, () => rig.speech(20));
  // A second of speech comes at once, after a second without anything.
  rig.pass(1000);
  for (let n = 0; n < 50; n++) rig.say(rig.speech(20));
  talk(100, () => rig.speech(20));
  rig.listen();
  const surplus = rig.heard.length / PER_MS - rig.now;
  expect(surplus).toBeGreaterThan(500);
  talk(3000, () => quiet);
  rig.listen();
  expect(Math.abs(rig.heard.length / PER_MS - rig.now)).toBeLessThan(100);
  expect(rig.stats.read().packetsDroppedOverrun).toBe(0);
  expect(inOrder(rig.heard, rig.spokenBytes)).toBe(true);
});

test('of a sender that is too fast a second is taken, and the rest counted', () => {
  for (let n = 0; n < 500; n++) {
    rig.say(rig.speech(20));
    rig.say(rig.speech(20));
    rig.pass(20);
  }
  const ahead = rig.heard.length / PER_MS - rig.now;
  expect(ahead).toBeGreaterThan(900);
  expect(ahead).toBeLessThan(1100);
  const lostMs = rig.spokenBytes / PER_MS - rig.heard.length / PER_MS;
  expect(rig.stats.read().packetsDroppedOverrun).toBe(lostMs / 20);
});

test("minutes of a sender's clock that is fast or slow by 200 ppm cost nothing", () => {
  for (const ppm of [200, -200]) {
    rig = new Rig();
    let messages = 0;
    for (let at = 0; at < 300_000; at += 20) {
      const due = Math.floor((at / 20) * (1 + ppm / 1e6));
      for (; messages < due; messages++) rig.say(rig.speech(20));
      rig.now = at;
      rig.listen();
      if (at % 60_000 === 0) rig.heard.length = 0;
    }
    const { packetsDroppedOverrun, concealedMs } = rig.stats.read();
    expect([packetsDroppedOverrun, concealedMs <= 60]).toEqual([0, true]);
  }
});

test('on hold nothing is heard, and what comes then is not heard later', () => {
  rig.say(rig.speech(20));
  rig.listen();
  rig.stream.hold(true, rig.now);
  const before = rig.heard.length;
  for (let n = 0; n < 50; n++) {
    rig.say(rig.speech(20));
    rig.pass(20);
  }
  expect(rig.heard.length).toBe(before);
  rig.stream.hold(false, rig.now);
  const resumed = rig.spokenBytes;
  rig.say(rig.speech(20));
  rig.listen();
  expect(rig.heard.slice(before)).toEqual(counted(resumed, 160));
});

test('its latency is from when a message came to when it is read', () => {
  rig.pass(20);
  rig.say(rig.speech(20));
  rig.now += 4;
  rig.listen();
  expect(rig.latency?.p99).toBeGreaterThan(2);
  expect(rig.latency?.p99).toBeLessThan(6);
});

/** What nobody would send, now and then too much at once, and holds in between. */
function throwAt(random: (below: number) => number): void {
  for (let bursts = random(4); bursts > 0; bursts--) {
    const bytes = random(5) === 0 ? random(9000) : random(400);
    const isSilent = random(3) === 0;
    rig.say(isSilent ? new Uint8Array(bytes).fill(SILENCE) : rig.speech(bytes / PER_MS));
  }
  if (random(30) === 0) rig.stream.hold(random(2) === 0, rig.now);
  rig.pass(random(20) === 0 ? 5 * random(600) : 5 * random(20));
}

describe('whatever comes, and whenever, time goes on, and nothing that came before holds it up', () => {
  test.each(Array.from({ length: 15 }, (_, seed) => [seed]))('seed %i', (seed) => {
    const random = randomFrom(seed);
    rig = new Rig(seed % 2 === 0 ? 'PCMU' : 'PCMA');
    for (let n = 0; n < 400; n++) throwAt(random);
    rig.stream.hold(true, rig.now);
    rig.stream.hold(false, rig.now);
    const before = { heard: rig.heard.length, now: rig.now };
    rig.pass(5000);
    const ms = (rig.heard.length - before.heard) / PER_MS;
    expect(ms).toBeGreaterThan(rig.now - before.now - 1400);
    expect(ms).toBeLessThanOrEqual(rig.now - before.now);
    expect(rig.stats.read().jitterTargetMs).toBeLessThanOrEqual(300);
  });
});
