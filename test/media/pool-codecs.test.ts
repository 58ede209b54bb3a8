import type { Socket } from 'node:dgram';
import { createDecoder, createEncoder } from 'libopus-wasm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AudioFormat } from '../../src/audio/format.ts';
import { G722Decoder, G722Encoder } from '../../src/audio/g722.ts';
import { createMediaPool } from '../../src/media/media-pool.ts';
import type { MediaPool, MediaSettings, RtpPort } from '../../src/media/media-port.ts';
import { defaultOpusSettings } from '../../src/media/opus-settings.ts';
import { bindUdp } from '../support/port-pair.ts';
import { writeRtp } from '../support/rtp-packet.ts';

/** Wideband codecs through real sockets and a real worker, into and out of rings of 16-bit samples at 24 kHz. */
const FIRST_PORT = 31_000 + (process.pid % 200) * 4;
const WAIT = { timeout: 10_000, interval: 20 };
const wide: AudioFormat = { encoding: 'pcm_16', sampleRateHz: 24_000 };
const TONE_HZ = 1000;
let pool: MediaPool;
let port: RtpPort;
let peer: Socket;
let packets: Buffer[];

beforeEach(async () => {
  peer = await bindUdp('127.0.0.1');
  packets = [];
  peer.on('message', (packet) => packets.push(packet));
  const ports = { from: FIRST_PORT, to: FIRST_PORT + 3 };
  pool = await createMediaPool({ bindAddress: '127.0.0.1', ports, workers: 1 });
  port = await pool.open({
    ...{ affinity: 'sess_1', family: 4 as const, callerAddress: '127.0.0.1', timeoutSeconds: 0 },
    ...{ inboundFormat: wide, outboundFormat: wide, onEvent: () => undefined },
  });
});

afterEach(async () => {
  await pool.close();
  peer.close();
});

function configure(codec: 'opus' | 'G722', payloadType: number): void {
  const settings: MediaSettings = {
    ...{ codec, payloadType, comfortNoisePayloadType: null, telephoneEvents: [] },
    ...{ remoteAddress: '127.0.0.1', remotePort: peer.address().port },
    ...{ remoteRtcpAddress: '127.0.0.1', remoteRtcpPort: 0, rtcpMux: false },
    ...{ direction: 'sendrecv', held: false, ptimeMs: 20, moved: false, srtp: null },
    ...(codec === 'opus' && { opus: defaultOpusSettings }),
  };
  port.configure(settings);
  port.startSending();
}

const tone = (seconds: number, rate: number): Int16Array =>
  Int16Array.from({ length: seconds * rate }, (_, i) => 8000 * Math.sin((2 * Math.PI * TONE_HZ * i) / rate));

/** Where the tone is strongest within what was heard, by half seconds: dB against the one that was sent. */
function level(samples: Int16Array, rate: number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (let at = 0; at + rate / 2 <= samples.length; at += rate / 50) {
    let [sine, cosine] = [0, 0];
    for (let i = 0; i < rate / 2; i++) {
      const sample = samples[at + i] as number;
      sine += sample * Math.sin((2 * Math.PI * TONE_HZ * i) / rate);
      cosine += sample * Math.cos((2 * Math.PI * TONE_HZ * i) / rate);
    }
    const amplitude = (2 * Math.hypot(sine, cosine)) / (rate / 2);
    best = Math.max(best, 20 * Math.log10(amplitude / 8000));
  }
  return best;
}

/** Sends payloads 20 ms of time apart, all at once: the port takes them as a stalled network brings them. */
function send(payloads: Uint8Array[], payloadType: number, units: number): void {
  payloads.forEach((payload, n) => {
    const fields = { pt: payloadType, seq: n, timestamp: n * units, ssrc: 7, marker: false, payload };
    peer.send(writeRtp(fields), port.rtpPort, '127.0.0.1');
  });
}

async function heardSamples(count: number): Promise<Int16Array> {
  const pieces: Buffer[] = [];
  await vi.waitFor(() => {
    const bytes = Buffer.alloc(port.inbound.readable);
    port.inbound.read(bytes);
    pieces.push(bytes);
    expect(port.stats().packetsReceived).toBe(count);
  }, WAIT);
  const bytes = Buffer.concat(pieces);
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Lets the leg speak for a second, and returns the payloads in their order. */
async function spoken(): Promise<Buffer[]> {
  const speech = new Uint8Array(tone(1, 24_000).buffer);
  let written = 0;
  await vi.waitFor(() => {
    written += port.outbound.write(speech, written);
    expect(written).toBe(speech.length);
    expect(port.outbound.readable).toBe(0);
  }, WAIT);
  return packets.map((packet) => packet.subarray(12));
}

test('Opus, at 24 kHz both ways', async () => {
  configure('opus', 111);
  await vi.waitFor(() => expect(packets.length).toBeGreaterThan(2), WAIT);
  const encoder = await createEncoder({ channels: 1, sampleRate: 48_000 });
  const input = tone(0.8, 48_000);
  const payloads = Array.from({ length: 40 }, (_, n) =>
    encoder.encode(input.subarray(n * 960, (n + 1) * 960)),
  );
  send(payloads, 111, 960);
  expect(Math.abs(level(await heardSamples(40), 24_000))).toBeLessThan(1);
  const decoder = await createDecoder({ channels: 1, sampleRate: 24_000 });
  const pieces = (await spoken()).map((payload) => decoder.decode(payload));
  const heard = new Int16Array(480 * pieces.length);
  pieces.forEach((piece, n) => {
    heard.set(piece, 480 * n);
  });
  expect(Math.abs(level(heard, 24_000))).toBeLessThan(1);
  expect(new Set(packets.map((packet) => (packet[1] as number) & 0x7f))).toEqual(new Set([111]));
});

test('G.722, at 16 kHz into and out of rings of 24', async () => {
  configure('G722', 9);
  await vi.waitFor(() => expect(packets.length).toBeGreaterThan(2), WAIT);
  const encoder = new G722Encoder();
  const input = tone(0.8, 16_000);
  const payloads = Array.from({ length: 40 }, (_, n) => {
    const payload = new Uint8Array(160);
    encoder.encode(input.subarray(n * 320), 320, payload, 0);
    return payload;
  });
  send(payloads, 9, 160);
  expect(Math.abs(level(await heardSamples(40), 24_000))).toBeLessThan(1);
  const octets = Buffer.concat(await spoken());
  expect(octets.length % 160).toBe(0);
  const heard = new Int16Array(2 * octets.length);
  new G722Decoder().decode(octets, 0, octets.length, heard);
  expect(Math.abs(level(heard, 16_000))).toBeLessThan(1);
});
