import { beforeEach, describe, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { DtmfReceiver } from '../../src/media/dtmf-receiver.ts';
import { loadOpus } from '../../src/media/opus-codec.ts';
import { defaultOpusSettings } from '../../src/media/opus-settings.ts';
import { emptyRtpHeader, readRtpHeader } from '../../src/media/rtp-header.ts';
import { SendStream } from '../../src/media/send-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';

/** Key presses that we send, as the packets of a leg. */
const START = { sequence: 65_533, timestamp: 0xffff_fe00 };
let ring: AudioRing;
let stream: SendStream;
let pressed: number[];

beforeEach(() => {
  ring = AudioRing.create(8192);
  pressed = [];
  let ssrc = 7;
  stream = new SendStream(ring, MULAW_8K, StatsBlock.create(), { ...START, newSsrc: () => ssrc++ }, (count) =>
    pressed.push(count),
  );
  stream.configure('PCMU', 0, 20);
  stream.configureKeys({ payloadType: 101, clockRate: 8000 });
});

function sent(slot: number) {
  const packet = stream.next(slot) as Buffer;
  const header = emptyRtpHeader();
  expect(readRtpHeader(packet, header)).toBe(true);
  return { ...header, slot, payload: [...packet.subarray(header.payloadOffset)] };
}

/** The packets of `count` slots of 20 ms. */
const run = (count: number, from = 0) => Array.from({ length: count }, (_, i) => sent((from + i) * 4));
const events = (packets: ReturnType<typeof run>) => packets.filter(({ payloadType }) => payloadType !== 0);

test('a press has a marker, one timestamp, a growing duration, and its end three times', () => {
  sent(0);
  stream.press('5', 100, 100);
  const packets = run(8, 1);
  expect(packets.map(({ payloadType }) => payloadType)).toEqual([101, 101, 101, 101, 101, 101, 101, 0]);
  expect(packets.map(({ marker }) => marker)).toEqual([true, ...Array(7).fill(false)]);
  expect(packets.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 8 }, (_, i) => (START.sequence + 1 + i) & 0xffff),
  );
  const timestamp = (START.timestamp + 160) >>> 0;
  expect(events(packets).map((packet) => packet.timestamp)).toEqual(Array(7).fill(timestamp));
  expect(events(packets).map(({ payload }) => payload)).toEqual([
    [5, 10, 0, 160],
    [5, 10, 1, 64],
    [5, 10, 1, 224],
    [5, 10, 2, 128],
    ...Array(3).fill([5, 0x8a, 3, 32]),
  ]);
  // Speech goes on where its time is.
  expect(packets[7]?.timestamp).toBe((timestamp + 7 * 160) >>> 0);
});

test('keys follow each other with a gap, and the run is told when it is over', () => {
  stream.press('1#', 60, 80);
  const packets = run(13);
  const starts = packets.filter(({ marker }) => marker).map(({ slot, payload }) => [slot, payload[0]]);
  expect(starts).toEqual([
    [0, 1],
    [(60 + 80) / 5, 11],
  ]);
  expect(events(packets)).toHaveLength(10);
  expect(pressed).toEqual([]);
  run(2, 13);
  expect(pressed).toEqual([2]);
});

test('speech waits while keys are pressed, and loses nothing; it begins with a marker', () => {
  const speech = Uint8Array.from({ length: 1600 }, (_, i) => (i % 100) + 1);
  ring.write(speech);
  const before = run(2);
  stream.press('12', 40, 60);
  const packets = [...before, ...run(20, 2)];
  const heard = packets.filter(({ payloadType }) => payloadType === 0).flatMap(({ payload }) => payload);
  expect(heard.filter((byte) => byte !== 0xff)).toEqual([...speech]);
  const after = packets.find(({ payload, slot }) => slot > 8 && payload[0] !== 0xff && payload.length > 4);
  expect(after?.marker).toBe(true);
});

test.each([20, 10])('a receiver hears each key once, with packets of %i ms', (ms) => {
  stream.configure('PCMU', 0, ms);
  const told: string[] = [];
  const receiver = new DtmfReceiver(StatsBlock.create(), (digit, duration) =>
    told.push(`${digit} ${duration}`),
  );
  stream.press('0123456789*#ABCD', 90, 50);
  for (let slot = 0; slot < 1000; slot += ms / 5) {
    const packet = stream.next(slot) as Buffer;
    const header = emptyRtpHeader();
    readRtpHeader(packet, header);
    if (header.payloadType === 101) receiver.packet(header, packet, 8000, slot * 5);
  }
  expect(told).toEqual([...'0123456789*#ABCD'].map((digit) => `${digit} ${ms === 20 ? 100 : 90}`));
  expect(pressed).toEqual([16]);
});

test('after a stall the duration tells what time has passed, up to that of the press', () => {
  stream.press('1', 200, 60);
  const durations = [0, 4, 28, 60].map((slot) => sent(slot).payload);
  expect(durations).toEqual([
    [1, 10, 0, 160],
    [1, 10, 1, 64],
    [1, 10, 5, 0],
    [1, 0x8a, 6, 64],
  ]);
});

describe('a run ends early, and says how many were pressed,', () => {
  test('when nobody is to hear it', () => {
    stream.press('123', 40, 60);
    run(3);
    stream.skip(12);
    expect(pressed).toEqual([1]);
    expect(sent(16).payloadType).toBe(0);
  });

  test('when the peer takes no keys any more, or never did', () => {
    stream.press('123', 40, 60);
    stream.configureKeys(undefined);
    stream.press('4', 40, 60);
    expect(pressed).toEqual([0, 0]);
    expect(sent(0).payloadType).toBe(0);
  });

  test('when the leg closes', () => {
    stream.press('123', 40, 60);
    run(6);
    stream.close();
    expect(pressed).toEqual([2]);
  });
});

test('at a change of clock the key that is down is let go, and the next is pressed in the new stream', async () => {
  await loadOpus();
  stream.press('12', 100, 60);
  const before = run(2);
  stream.configure('opus', 111, 20, defaultOpusSettings);
  await new Promise(setImmediate);
  stream.configureKeys({ payloadType: 102, clockRate: 48_000 });
  const after = events(run(20, 2)).filter(({ payloadType }) => payloadType !== 111);
  expect(before.map(({ payloadType, ssrc }) => [payloadType, ssrc])).toEqual(Array(2).fill([101, 7]));
  expect(after.map(({ payload }) => payload[0])).toEqual(Array(7).fill(2));
  expect(after.every(({ ssrc, payloadType }) => ssrc === 8 && payloadType === 102)).toBe(true);
  expect(after.at(-1)?.payload.slice(1)).toEqual([0x8a, 4800 >> 8, 4800 & 0xff]);
  expect(pressed).toEqual([2]);
  stream.close();
});
