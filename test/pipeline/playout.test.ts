import { beforeEach, expect, test } from 'vitest';
import { AudioRing } from '../../src/audio/ring.ts';
import { Playout } from '../../src/pipeline/playout.ts';
import { speech } from './link-fixture.ts';

const second = 8000;
const silence = (bytes: number) => Buffer.alloc(bytes, 0xff);

let ring: AudioRing;
let counters: { outputDroppedMs: number; trimmedMs: number };
let playout: Playout;

beforeEach(() => {
  ring = AudioRing.create(8192);
  counters = { outputDroppedMs: 0, trimmedMs: 0 };
  playout = new Playout(ring, counters);
});

/** The media worker takes a packet every 20 ms; the link feeds before each. */
function listen(milliseconds: number): Buffer {
  const heard: Buffer[] = [];
  for (let at = 0; at < milliseconds; at += 20) {
    playout.feed();
    ring.applyFlush();
    const packet = Buffer.alloc(160);
    heard.push(packet.subarray(0, ring.read(packet)));
  }
  return Buffer.concat(heard);
}

test('plays what was pushed, in order and unchanged, whatever the size of the messages', () => {
  const said = speech(3 * second + 17);
  let at = 0;
  const heard: Buffer[] = [];
  for (const size of [1, 0, 3999, 4000, 4001, 7, 8000, said.length]) {
    playout.push(said.subarray(at, at + size));
    at = Math.min(said.length, at + size);
    heard.push(listen(400));
  }
  heard.push(listen(4000));
  expect(Buffer.concat(heard)).toEqual(said);
  expect(playout.queuedMs).toBe(0);
  expect(counters).toEqual({ outputDroppedMs: 0, trimmedMs: 0 });
});

test('keeps no more than 200 ms in the ring, so that a clear can take the rest back', () => {
  playout.push(speech(10 * second));
  for (let at = 0; at < 2000; at += 20) {
    listen(20);
    expect(ring.readable).toBeLessThanOrEqual(1600);
    expect(ring.readable).toBeGreaterThanOrEqual(640);
  }
  expect(playout.queuedMs).toBe(8000);
});

test('while it is not late, silence is played as it came', () => {
  const said = Buffer.concat([speech(800), silence(second), speech(800, 3)]);
  playout.push(said);
  expect(listen(2000)).toEqual(said);
  expect(counters.trimmedMs).toBe(0);
});

test('while more than 1.5 s wait, pauses are cut to 100 ms, and speech stays whole', () => {
  const words = [0, 1, 2, 3].map((seed) => speech(second / 2, seed));
  playout.push(Buffer.concat(words.flatMap((word) => [word, silence(second)])));
  const heard = listen(8000);
  for (const word of words) expect(heard.includes(word)).toBe(true);
  // The first three pauses of 1 s were cut; with the last one there was no more than 1.5 s to come.
  const gap = heard.indexOf(words[1]!) - words[0]!.length;
  expect(gap).toBeLessThanOrEqual(1000);
  expect(gap).toBeGreaterThanOrEqual(640);
  expect(counters.trimmedMs).toBeGreaterThan(2000);
  expect(heard.length / 8 + counters.trimmedMs).toBe(6000);
});

test.each([
  [1500, 0],
  [1540, 40],
])('of %i ms of silence that wait %i ms are left out', (waiting, trimmed) => {
  playout.push(silence(waiting * 8));
  listen(20);
  expect(counters.trimmedMs).toBe(trimmed);
});

test('low noise is silence too, in both signs', () => {
  playout.push(Buffer.alloc(4 * second, Buffer.from([0x7e, 0xf8, 0x71, 0xff])));
  listen(20);
  expect(counters.trimmedMs).toBeGreaterThan(2000);
});

test('beyond 60 s the oldest goes and is counted', () => {
  for (let i = 0; i < 70; i++) playout.push(speech(second, i));
  expect(playout.queuedMs).toBe(60_000);
  expect(counters.outputDroppedMs).toBe(10_000);
  expect(listen(1000)).toEqual(speech(second, 10));
});

test('one message of more than 60 s leaves its last 60 s', () => {
  const said = speech(98 * second);
  playout.push(speech(500));
  playout.push(said);
  expect(playout.queuedMs).toBe(60_000);
  expect(counters.outputDroppedMs).toBe(38_000 + 62.5);
  expect(listen(60_000)).toEqual(said.subarray(38 * second));
});

test('a million tiny messages take no more room than what they hold', () => {
  const before = process.memoryUsage().arrayBuffers;
  const byte = speech(1);
  for (let i = 0; i < 1_000_000; i++) playout.push(byte);
  expect(playout.queuedMs).toBe(60_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8_000_000);
});

test('clear drops the queue and the ring; what comes after it is heard', () => {
  playout.push(speech(5 * second));
  listen(500);
  playout.clear();
  playout.push(speech(800, 5));
  expect(listen(2000)).toEqual(speech(800, 5));
  expect(counters.outputDroppedMs).toBe(0);
});

test('a mark is reached when everything before it has left the ring, and not earlier', () => {
  playout.push(speech(800));
  expect(playout.mark('first')).toBe(true);
  playout.push(speech(800));
  playout.mark('second');
  listen(80);
  expect(playout.takePlayedMarks()).toEqual([]);
  listen(20);
  expect(playout.takePlayedMarks()).toEqual(['first']);
  listen(80);
  expect(playout.takePlayedMarks()).toEqual([]);
  listen(20);
  expect(playout.takePlayedMarks()).toEqual(['second']);
  expect(playout.takePlayedMarks()).toEqual([]);
});

test('a mark with nothing before it is reached at once', () => {
  playout.mark('now');
  expect(playout.takePlayedMarks()).toEqual(['now']);
});

test('a mark behind trimmed or dropped audio is still reached', () => {
  playout.push(silence(4 * second));
  playout.mark('after silence');
  for (let i = 0; i < 61; i++) playout.push(speech(second));
  playout.mark('end');
  const reached: string[] = [];
  for (let i = 0; i < 70; i++) {
    listen(1000);
    reached.push(...playout.takePlayedMarks());
  }
  expect(reached).toEqual(['after silence', 'end']);
});

test('clear gives back the marks that will never be reached', () => {
  playout.push(speech(800));
  playout.mark('in the ring');
  playout.push(speech(5 * second));
  playout.mark('in the queue');
  listen(20);
  expect(playout.clear()).toEqual(['in the ring', 'in the queue']);
  listen(100);
  expect(playout.takePlayedMarks()).toEqual([]);
});

test('marks are bounded', () => {
  playout.push(speech(800));
  for (let i = 0; i < 100; i++) expect(playout.mark(`${i}`)).toBe(true);
  expect(playout.mark('one too many')).toBe(false);
});

test('when playing begins late, the silence that queued up before is no delay for good', () => {
  playout.push(silence(second));
  playout.catchUp();
  const said = speech(1600);
  for (let chunk = 0; chunk < 10; chunk++) {
    playout.push(silence(800));
    listen(100);
  }
  playout.push(said);
  // The pause that every talkspurt keeps, and what lies in the ring.
  expect(playout.queuedMs).toBeLessThan(200 + 400 + 200);
  expect(listen(1000).includes(said)).toBe(true);
});
