import { expect, test } from 'vitest';
import { AudioRing } from '../../src/audio/ring.ts';
import { percentilesOf } from '../../src/telemetry/latency-histogram.ts';

const packet = new Uint8Array(160);
const chunk = new Uint8Array(800);

/** Writes `count` packets of 20 ms, the first of which came at `from`. */
function say(ring: AudioRing, count: number, from: number): void {
  for (let i = 0; i < count; i++) {
    ring.write(packet);
    ring.latency.note(ring.written, from + i * 20);
  }
}

function read(ring: AudioRing, now: number): void {
  ring.read(chunk);
  ring.latency.count(ring.taken, now);
}

const total = (ring: AudioRing) => ring.latency.read().reduce((sum, count) => sum + count, 0);
const about = (ms: number) => ({ least: ms, most: ms * 1.1 });

function expectAll(ring: AudioRing, ms: number): void {
  const { least, most } = about(ms);
  const { p50 = 0, p99 = 0 } = percentilesOf(ring.latency.read()) ?? {};
  expect(p50).toBeGreaterThanOrEqual(least);
  expect(p99).toBeLessThanOrEqual(most);
}

test("a chunk counts from its last packet, which the reader's thread finds among those that came since", () => {
  const worker = AudioRing.create(8192);
  const main = new AudioRing(worker.buffer);
  for (let second = 0; second < 100; second++) {
    // Seven packets have come when the first chunk, of five, is taken.
    say(worker, 7, second * 1000);
    read(main, second * 1000 + 80 + 8);
    say(worker, 3, second * 1000 + 140);
    read(main, second * 1000 + 180 + 8);
  }
  expect(total(worker)).toBe(200);
  expectAll(worker, 8);
});

test('packets that do not divide the chunk: its last byte decides', () => {
  const ring = AudioRing.create(8192);
  for (let at = 0; at < 900; at += 300) {
    for (const offset of [0, 30, 60, 90, 120, 150, 180, 210, 240, 270]) {
      ring.write(chunk, 0, 240);
      ring.latency.note(ring.written, at + offset);
    }
    // 100 ms end within the fourth packet of 30 ms, 200 within the seventh, 300 with the tenth.
    for (const last of [90, 180, 270]) read(ring, at + last + 16);
  }
  expect(total(ring)).toBe(9);
  expectAll(ring, 16);
});

test('a reader that was away for seconds counts what is known, and nothing twice', () => {
  const ring = AudioRing.create(8192);
  say(ring, 51, 0);
  // The ring is full: these are noted without a byte.
  say(ring, 200, 1020);
  for (let i = 0; i < 10; i++) read(ring, 5020);
  expect(total(ring)).toBeLessThanOrEqual(10);
  const before = total(ring);
  say(ring, 5, 6000);
  ring.latency.count(ring.written, 6080 + 4);
  expect(total(ring)).toBe(before + 1);
});

test('what was noted counts at the next tick, once', () => {
  const main = AudioRing.create(8192);
  const worker = new AudioRing(main.buffer);
  worker.latency.countNoted(5);
  main.latency.note(800, 10);
  main.latency.note(1600, 10);
  worker.latency.countNoted(22);
  worker.latency.countNoted(42);
  expect(total(main)).toBe(2);
  expectAll(main, 12);
});
