import { beforeEach, expect, test } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { linearToMulaw } from '../../src/audio/g711.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import { loadOpus } from '../../src/media/opus-codec.ts';
import { defaultOpusSettings } from '../../src/media/opus-settings.ts';
import { emptyRtpHeader, readRtpHeader } from '../../src/media/rtp-header.ts';
import { SendStream } from '../../src/media/send-stream.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import { readWav, speechFile } from '../support/wav.ts';

const SSRC = 0xfeed_f00d;
const START = { sequence: 65_530, timestamp: 0xffff_ff00 };
let ring: AudioRing;
let stats: StatsBlock;
let stream: SendStream;

beforeEach(() => {
  ring = AudioRing.create(8192);
  stats = StatsBlock.create();
  let ssrc = SSRC;
  stream = new SendStream(ring, MULAW_8K, stats, { ...START, newSsrc: () => ssrc++ }, () => undefined);
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

test('a translation that is not to be heard is gone within 50 ms and dropped; later ones are heard', () => {
  speech(3200);
  stream.hear({ translation: false, original: null, waiting: null });
  for (let slot = 0; slot < 12; slot += 4) sent(slot);
  for (let slot = 12; slot < 80; slot += 4) expect(isSilence(sent(slot).payload)).toBe(true);
  speech(1600);
  sent(80);
  expect(ring.readable).toBe(0);
  stream.hear({ translation: true, original: null, waiting: null });
  speech(1600, 0x30);
  const payloads = Array.from({ length: 10 }, (_, i) => sent(84 + i * 4).payload);
  expect(payloads.some((payload) => payload.includes(0x20))).toBe(false);
  expect(payloads.some((payload) => payload.includes(0x30))).toBe(true);
});

test('10 ms packets where the peer asks for them', () => {
  stream.configure('PCMU', 0, 10);
  const first = sent(2);
  expect(first.payloadLength).toBe(80);
  expect((sent(4).timestamp - first.timestamp) >>> 0).toBe(80);
});

test('a codec with another clock goes on with a new SSRC, and neither numbers nor timestamps go back', async () => {
  await loadOpus();
  const opus = { ...defaultOpusSettings };
  const packets: ({ slot: number; units: number } & ReturnType<typeof sent>)[] = [];
  for (let slot = 0; slot < 80; slot += 4) packets.push({ slot, units: 160, ...sent(slot) });
  stream.configure('opus', 111, 20, opus);
  await new Promise(setImmediate);
  for (let slot = 80; slot < 160; slot += 4) packets.push({ slot, units: 960, ...sent(slot) });
  stream.configure('G722', 9, 20);
  for (let slot = 160; slot < 240; slot += 4) packets.push({ slot, units: 160, ...sent(slot) });
  stream.configure('PCMA', 8, 20);
  for (let slot = 240; slot < 320; slot += 4) packets.push({ slot, units: 160, ...sent(slot) });
  expect(packets.map((packet) => packet.ssrc - SSRC)).toEqual([
    ...Array(20).fill(0),
    ...Array(20).fill(1),
    ...Array(40).fill(2),
  ]);
  packets.slice(1).forEach((packet, i) => {
    const before = packets[i] as (typeof packets)[number];
    expect((packet.sequence - before.sequence) & 0xffff).toBe(1);
    // What has passed since the packet before is counted by the clock that it was counted with.
    expect((packet.timestamp - before.timestamp) >>> 0).toBe(before.units);
  });
});

test('the same settings again change nothing: Opus goes on with the encoder that it has', async () => {
  await loadOpus();
  stream.configure('opus', 111, 20, { ...defaultOpusSettings });
  await new Promise(setImmediate);
  sent(0);
  stream.configure('opus', 111, 20, { ...defaultOpusSettings });
  // A new one would not be there yet.
  expect(sent(4).payloadLength).toBeGreaterThan(0);
});

test('Opus with DTX leaves packets out, not time; speech begins with the marker', async () => {
  await loadOpus();
  stream.configure('opus', 111, 20, { ...defaultOpusSettings, dtx: true });
  await new Promise(setImmediate);
  const silent = Array.from({ length: 100 }, (_, i) => stream.next(i * 4)).filter((packet) => packet);
  expect(silent.length).toBeLessThan(30);
  ring.write(linearToMulaw(readWav(speechFile).subarray(4000, 7200)));
  const spoken = Array.from({ length: 20 }, (_, i) => sent(400 + i * 4));
  expect(spoken.map((packet) => packet.marker)).toEqual([true, ...Array(19).fill(false)]);
  expect(spoken[0]?.sequence).toBe((START.sequence + silent.length) & 0xffff);
  expect(spoken[0]?.timestamp).toBe((START.timestamp + 400 * 240) >>> 0);
});

test('a new stream has its own SSRC and numbers, and time goes on', () => {
  const before = sent(0);
  stream.begin(7);
  const [first, second] = [sent(4), sent(8)];
  expect([first.ssrc, first.sequence, second.sequence]).toEqual([SSRC + 1, 7, 8]);
  expect(first.timestamp).toBe((before.timestamp + 160) >>> 0);
});
