import { beforeEach, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { emptyRtpHeader, readRtpHeader } from '../../src/media/rtp-header.ts';
import { SendStream } from '../../src/media/send-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';

const SSRC = 0xfeed_f00d;
const START = { sequence: 65_530, timestamp: 0xffff_ff00 };
let ring: AudioRing;
let stats: StatsBlock;
let stream: SendStream;

beforeEach(() => {
  ring = AudioRing.create(8192);
  stats = StatsBlock.create();
  let ssrc = SSRC;
  stream = new SendStream(ring, MULAW_8K, stats, { ...START, newSsrc: () => ssrc++ });
  stream.configure('PCMU', 0, 20);
});

function sent(slot: number) {
  const packet = stream.next(slot) as Buffer;
  const header = emptyRtpHeader();
  expect(readRtpHeader(packet, header)).toBe(true);
  return { ...header, payload: Uint8Array.from(packet.subarray(header.payloadOffset)) };
}

const speech = (length: number, value = 0x20): void => {
  ring.write(new Uint8Array(length).fill(value));
};
const isSilence = (payload: Uint8Array): boolean => payload.every((byte) => byte === 0xff);

test('an empty ring is sent as silence, without a marker, with continuous numbers that wrap', () => {
  for (let i = 0; i < 20; i++) {
    const packet = sent(i * 4);
    expect(packet).toMatchObject({
      ssrc: SSRC,
      sequence: (START.sequence + i) & 0xffff,
      timestamp: (START.timestamp + i * 160) >>> 0,
      payloadType: 0,
      marker: false,
      payloadLength: 160,
    });
    expect(isSilence(packet.payload)).toBe(true);
  }
  expect(stats.read()).toMatchObject({ packetsSent: 20, silencePacketsSent: 20, bytesSent: 3200 });
});

test('a talkspurt begins with the marker, is sent byte for byte, and ends in silence', () => {
  sent(0);
  const audio = Uint8Array.from({ length: 1600 }, (_, i) => i % 251);
  ring.write(audio);
  const packets = Array.from({ length: 11 }, (_, i) => sent(4 + i * 4));
  expect(packets.map((p) => p.marker)).toEqual([true, ...Array(10).fill(false)]);
  expect(Buffer.concat(packets.slice(0, 10).map((p) => p.payload)).equals(audio)).toBe(true);
  expect(isSilence((packets[10] as (typeof packets)[number]).payload)).toBe(true);
  speech(1600);
  expect(sent(48).marker).toBe(true);
});

test('little audio waits 60 ms for more, and is played then', () => {
  speech(100);
  const packets = [0, 4, 8, 12].map((slot) => sent(slot).payload);
  expect(packets.slice(0, 3).every(isSilence)).toBe(true);
  expect([...(packets[3] as Uint8Array)]).toEqual([...Array(100).fill(0x20), ...Array(60).fill(0xff)]);
});

test.each([0, 4, 8, 12, 16, 19])(
  'chunks of 100 ms that come up to 55 ms late do not stutter (phase %i ms)',
  (phase) => {
    const markers: number[] = [];
    let silenceInside = 0;
    let chunk = 0;
    for (let slot = 0; chunk < 200; slot += 4) {
      const due = chunk * 100 + phase + ((chunk * 7919) % 12) * 5;
      if (slot * 5 >= due) {
        speech(800);
        chunk++;
      }
      const packet = sent(slot);
      if (packet.marker) markers.push(slot);
      else if (markers.length > 0 && isSilence(packet.payload)) silenceInside++;
    }
    expect(markers).toHaveLength(1);
    expect(silenceInside).toBe(0);
  },
);

test('PCMA is the other law, in speech and in silence', () => {
  stream.configure('PCMA', 8, 20);
  expect(sent(0)).toMatchObject({ payloadType: 8 });
  expect(sent(4).payload.every((byte) => byte === 0xd5)).toBe(true);
  speech(1600, 0x80);
  expect(sent(8).payload.every((byte) => byte === 0xaa)).toBe(true);
});

test('timestamps go on over a change of codec, hold and a stall', () => {
  expect(sent(4).timestamp).toBe((START.timestamp + 160) >>> 0);
  stream.configure('PCMA', 8, 20);
  expect(sent(8).timestamp).toBe((START.timestamp + 320) >>> 0);
  for (let slot = 12; slot < 1000; slot += 4) stream.skip(slot);
  const after = sent(1000);
  expect(after.timestamp).toBe((START.timestamp + 40_000) >>> 0);
  expect(after.sequence).toBe((START.sequence + 2) & 0xffff);
});

test('speech after a stall carries the marker again', () => {
  speech(3200);
  expect(sent(4).marker).toBe(true);
  expect(sent(8).marker).toBe(false);
  expect(sent(100)).toMatchObject({ marker: true, sequence: (START.sequence + 2) & 0xffff });
});

test('what is meant for a party on hold passes unheard', () => {
  speech(1600);
  for (let slot = 0; slot < 40; slot += 4) stream.skip(slot);
  expect(ring.readable).toBe(0);
  expect(stats.read().packetsSent).toBe(0);
});

test('a flush silences what was waiting at once', () => {
  speech(4000);
  expect(isSilence(sent(0).payload)).toBe(false);
  ring.requestFlush();
  expect(isSilence(sent(4).payload)).toBe(true);
});

test('10 ms packets where the peer asks for them', () => {
  stream.configure('PCMU', 0, 10);
  const first = sent(2);
  expect(first.payloadLength).toBe(80);
  expect((sent(4).timestamp - first.timestamp) >>> 0).toBe(80);
});
