import type { Socket } from 'node:dgram';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Hearing } from '../../src/media/hearing.ts';
import { createMediaPool } from '../../src/media/media-pool.ts';
import type { MediaEvent, MediaPool, MediaPort, RingPort, RtpPort } from '../../src/media/media-port.ts';
import { percentilesOf } from '../../src/telemetry/latency-histogram.ts';
import { encode } from '../support/g711.ts';
import { bindUdp } from '../support/port-pair.ts';
import { writeRtp } from '../support/rtp-packet.ts';
import { tone } from '../support/tones.ts';

/** Streams in real workers, alone and beside a leg with real sockets. */
const FIRST_PORT = 34_800 + (process.pid % 100) * 4;
const WAIT = { timeout: 15_000, interval: 20 };
const SILENCE = 0xff;
const workers: Worker[] = [];
const onWorker = (worker: Worker): void => void workers.push(worker);
let pool: MediaPool;
let timers: NodeJS.Timeout[];

beforeEach(async () => {
  process.on('worker', onWorker);
  timers = [];
  const ports = { from: FIRST_PORT, to: FIRST_PORT + 3 };
  pool = await createMediaPool({ bindAddress: '127.0.0.1', ports, workers: 2 });
});

afterEach(async () => {
  for (const timer of timers) clearInterval(timer);
  await pool.close();
  process.off('worker', onWorker);
  workers.length = 0;
});

const openRing = (options: Partial<Parameters<MediaPool['openRing']>[0]> = {}): Promise<RingPort> =>
  pool.openRing({
    ...{ affinity: 'sess_1', codec: 'PCMU' as const, timeoutSeconds: 0, onEvent: () => undefined },
    ...options,
  });

function every(ms: number, work: () => void): void {
  timers.push(setInterval(work, ms));
}

function readAll(ring: { readable: number; read(into: Uint8Array): number }): Buffer {
  const bytes = Buffer.alloc(ring.readable);
  ring.read(bytes);
  return bytes;
}

const directly = (from: MediaPort): Hearing => ({
  translation: false,
  original: { from, gainDb: 0 },
  waiting: null,
});

test('what a stream says goes to the pipeline, byte for byte; ports of the network are left alone', async () => {
  const events: MediaEvent[] = [];
  const port = await openRing({ onEvent: (event) => events.push(event) });
  const speech = Buffer.from(Uint8Array.from({ length: 4800 }, (_, i) => (i % 200) + 1));
  for (let at = 0; at < speech.length; at += 1200) port.say(speech.subarray(at, at + 1200));
  let said = Buffer.alloc(0);
  await vi.waitFor(() => {
    said = Buffer.concat([said, readAll(port.inbound)]);
    expect(said.includes(speech)).toBe(true);
  }, WAIT);
  // The ring is read without a message; what is told comes by one.
  await vi.waitFor(() => expect(events).toEqual([{ type: 'first_packet', at: expect.any(Number) }]), WAIT);
  expect(port.stats()).toMatchObject({ packetsReceived: 4, bytesReceived: 4800 });
  expect(pool.usage()).toEqual({ used: 0, total: 2, forNewSessions: 2 });
});

test('what it hears comes in pieces of 20 ms once it is to hear, and nothing comes while there is nothing', async () => {
  const port = await openRing({ codec: 'PCMA' });
  const speech = Buffer.from(encode('PCMU', tone(400, 600)));
  port.outbound.write(speech);
  await vi.waitFor(() => expect(port.inbound.readable).toBeGreaterThan(0), WAIT);
  expect(port.heard.readable).toBe(0);
  port.startSending();
  let heard: Buffer = Buffer.alloc(0);
  await vi.waitFor(() => {
    const bytes = readAll(port.heard);
    expect(bytes.length % 160).toBe(0);
    heard = Buffer.concat([heard, bytes]);
    expect(heard.length).toBeGreaterThanOrEqual(speech.length);
  }, WAIT);
  const { silencePacketsSent } = port.stats();
  await vi.waitFor(
    () => expect(port.stats().silencePacketsSent).toBeGreaterThan(silencePacketsSent + 20),
    WAIT,
  );
  // A pause of five pieces is sent, the rest is silence by itself.
  expect(readAll(port.heard).length + heard.length).toBeLessThanOrEqual(speech.length + 5 * 160);
});

test('nobody takes what it hears: a second waits, the rest is counted', async () => {
  const port = await openRing();
  port.startSending();
  const loud = Buffer.alloc(800, 1);
  every(50, () => port.outbound.write(loud));
  await vi.waitFor(() => expect(port.stats().packetsDroppedUnread).toBeGreaterThan(5), WAIT);
  expect(port.heard.readable).toBe(51 * 160);
  readAll(port.heard);
  await vi.waitFor(() => expect(port.heard.readable).toBeGreaterThan(0), WAIT);
});

test('on hold it hears nothing and is heard by nobody, and no audio is missed', async () => {
  const events: string[] = [];
  const port = await openRing({ timeoutSeconds: 0.3, onEvent: ({ type }) => events.push(type) });
  port.startSending();
  port.hold(true);
  every(20, () => {
    port.say(Buffer.alloc(160, 1));
    port.outbound.write(Buffer.alloc(160, 2));
  });
  await vi.waitFor(() => expect(port.stats().packetsReceived).toBeGreaterThan(20), WAIT);
  expect(readAll(port.inbound).includes(1)).toBe(false);
  expect(port.heard.readable).toBe(0);
  for (const timer of timers) clearInterval(timer);
  await new Promise((passed) => setTimeout(passed, 400));
  expect(events).toEqual(['first_packet']);
  port.hold(false);
  await vi.waitFor(() => expect(events).toEqual(['first_packet', 'media_timeout']), WAIT);
});

test('closing it twice is once, and the last counters remain; a worker that dies takes it along', async () => {
  const events: string[] = [];
  const one = await openRing();
  const other = await openRing({ affinity: 'sess_2', onEvent: ({ type }) => events.push(type) });
  one.say(Buffer.alloc(160, 1));
  await vi.waitFor(() => expect(one.stats().packetsReceived).toBe(1), WAIT);
  const [first, second] = await Promise.all([one.close(), one.close()]);
  expect([first, first.packetsReceived]).toEqual([second, 1]);
  for (const worker of [...workers]) await worker.terminate();
  await vi.waitFor(() => expect(events).toEqual(['worker_lost']), WAIT);
  other.say(Buffer.alloc(160, 1));
  await expect(other.close()).resolves.toMatchObject({ packetsReceived: 0 });
  // Another worker takes its place.
  await vi.waitFor(async () => expect(await openRing()).toBeDefined(), WAIT);
});

/** Between what is said and what is heard G.711 stays as it is, whatever the kinds of the legs. */
const coded = Buffer.from(Uint8Array.from({ length: 1600 }, (_, i) => ((i * 7) % 120) + 1));

async function rtpParty(): Promise<{ port: RtpPort; socket: Socket; heard: Buffer[] }> {
  const socket = await bindUdp('127.0.0.1');
  const heard: Buffer[] = [];
  socket.on('message', (packet) => heard.push(packet.subarray(12)));
  const port = await pool.open({
    ...{ affinity: 'sess_1', family: 4, callerAddress: '127.0.0.1', timeoutSeconds: 0 },
    onEvent: () => undefined,
  });
  port.configure({
    ...{ codec: 'PCMU', payloadType: 0, comfortNoisePayloadType: null, telephoneEvents: [] },
    ...{ remoteAddress: '127.0.0.1', remotePort: socket.address().port },
    ...{ remoteRtcpAddress: '127.0.0.1', remoteRtcpPort: 0, rtcpMux: false },
    ...{ direction: 'sendrecv', held: false, ptimeMs: 20, moved: false, srtp: null },
  });
  port.startSending();
  return { port, socket, heard };
}

/** Says the code over and over, in messages of so long. */
function sayCode(port: RingPort, ms: number): void {
  let at = 0;
  every(ms, () => {
    const message = Buffer.from(
      Uint8Array.from({ length: ms * 8 }, (_, i) => coded[(at + i) % 1600] as number),
    );
    at += ms * 8;
    port.say(message);
  });
}

/** Waits for 200 ms of the code in one piece. */
const hearsCode = (bytes: () => Buffer): Promise<void> =>
  vi.waitFor(() => {
    const all = bytes();
    const anywhere = [0, 400, 800, 1200].some((from) =>
      all.includes(Buffer.concat([coded.subarray(from), coded.subarray(0, from)])),
    );
    expect(anywhere).toBe(true);
  }, WAIT);

test.each([20, 100, 200])(
  'a phone hears a stream that says %i ms at a time, and the stream the phone',
  async (ms) => {
    const phone = await rtpParty();
    const stream = await openRing();
    phone.port.hear(directly(stream));
    stream.hear(directly(phone.port));
    stream.startSending();
    sayCode(stream, ms);
    await hearsCode(() => Buffer.concat(phone.heard));
    expect(percentilesOf(phone.port.stats().direct)).not.toBeUndefined();

    let n = 0;
    every(20, () => {
      const from = (n * 160) % 1600;
      const fields = { pt: 0, seq: n, timestamp: n * 160, ssrc: 7, marker: false };
      const payload = coded.subarray(from, from + 160);
      phone.socket.send(writeRtp({ ...fields, payload }), phone.port.rtpPort, '127.0.0.1');
      n++;
    });
    let heard: Buffer = Buffer.alloc(0);
    await hearsCode(() => {
      heard = Buffer.concat([heard, readAll(stream.heard)]);
      return heard;
    });
    expect(percentilesOf(stream.stats().direct)).not.toBeUndefined();
    phone.socket.close();
  },
);

test('two streams hear each other, and silence while the other one pauses', async () => {
  const [one, other] = [await openRing(), await openRing({ codec: 'PCMA' })];
  one.hear(directly(other));
  other.hear(directly(one));
  for (const port of [one, other]) port.startSending();
  sayCode(other, 100);
  let heard: Buffer = Buffer.alloc(0);
  await vi.waitFor(() => {
    heard = Buffer.concat([heard, readAll(one.heard)]);
    expect(heard.length).toBeGreaterThan(8000);
  }, WAIT);
  expect(readAll(other.heard).every((byte) => byte === 0xd5)).toBe(true);
  for (const timer of timers) clearInterval(timer);
  const before = one.stats().silencePacketsSent;
  await vi.waitFor(() => expect(one.stats().silencePacketsSent).toBeGreaterThan(before + 20), WAIT);
  heard = readAll(one.heard);
  expect(heard.subarray(-160).every((byte) => byte === SILENCE)).toBe(true);
});
