import type { Socket } from 'node:dgram';
import { createEncoder } from 'libopus-wasm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { alawOfMulaw, expand, mulaw } from '../../src/audio/g711.ts';
import type { Hearing } from '../../src/media/hearing.ts';
import { createMediaPool } from '../../src/media/media-pool.ts';
import type { MediaPool, MediaSettings, RtpPort } from '../../src/media/media-port.ts';
import { defaultOpusSettings } from '../../src/media/opus-settings.ts';
import { percentilesOf } from '../../src/telemetry/latency-histogram.ts';
import { bindUdp } from '../support/port-pair.ts';
import { writeRtp } from '../support/rtp-packet.ts';

/** Two legs of one session through real sockets and a real worker; the one hears the other without a pipeline. */
const FIRST_PORT = 33_000 + (process.pid % 200) * 8;
const WAIT = { timeout: 15_000, interval: 50 };
let pool: MediaPool;
let parties: Party[];
let warnings: object[];

interface Party {
  port: RtpPort;
  socket: Socket;
  /** Payloads that came to it. */
  heard: Buffer[];
  timer?: NodeJS.Timeout;
}

async function party(affinity = 'sess_1'): Promise<Party> {
  const socket = await bindUdp('127.0.0.1');
  const port = await pool.open({
    ...{ affinity, family: 4 as const, callerAddress: '127.0.0.1', timeoutSeconds: 0 },
    onEvent: () => undefined,
  });
  const heard: Buffer[] = [];
  socket.on('message', (packet) => heard.push(packet.subarray(12)));
  const made = { port, socket, heard };
  parties.push(made);
  return made;
}

async function start(workers = 1): Promise<void> {
  const quiet = () => undefined;
  pool = await createMediaPool({
    bindAddress: '127.0.0.1',
    ports: { from: FIRST_PORT, to: FIRST_PORT + 7 },
    workers,
    log: { info: quiet, error: quiet, warn: (details) => warnings.push(details) },
  });
}

beforeEach(() => {
  parties = [];
  warnings = [];
});

afterEach(async () => {
  for (const { socket, timer } of parties) {
    clearInterval(timer);
    socket.close();
  }
  await pool.close();
});

const codecs = { PCMU: 0, PCMA: 8, opus: 111 } as const;

function connect(
  { port, socket }: Party,
  codec: keyof typeof codecs,
  changes: Partial<MediaSettings> = {},
): void {
  port.configure({
    ...{ codec, payloadType: codecs[codec], comfortNoisePayloadType: null, telephoneEvents: [] },
    ...{ remoteAddress: '127.0.0.1', remotePort: socket.address().port },
    ...{ remoteRtcpAddress: '127.0.0.1', remoteRtcpPort: 0, rtcpMux: false },
    ...{ direction: 'sendrecv', held: false, ptimeMs: 20, moved: false, srtp: null },
    ...(codec === 'opus' && { opus: defaultOpusSettings }),
    ...changes,
  });
  port.startSending();
}

const originalOf = ({ port }: Party): Hearing => ({
  translation: false,
  original: { from: port, gainDb: 0 },
  waiting: null,
});

/** Says a packet every 20 ms, as well as this machine keeps time. @param payload of the packet with that number */
function speak(speaker: Party, codec: keyof typeof codecs, payload: (n: number) => Uint8Array): void {
  let n = 0;
  speaker.timer = setInterval(() => {
    const timestamp = n * (codec === 'opus' ? 960 : 160);
    const fields = { pt: codecs[codec], seq: n, timestamp, ssrc: 7, marker: false };
    speaker.socket.send(writeRtp({ ...fields, payload: payload(n++) }), speaker.port.rtpPort, '127.0.0.1');
  }, 20);
}

/** Every packet of 16 is another one, and all codes are in them, -0 too. */
const coded = (n: number): Uint8Array =>
  Uint8Array.from({ length: 160 }, (_, i) => (i * 7 + (n % 16) * 31) & 0xff);

/** Waits until ten packets in a row have come through as they were said, by `table`. */
async function hearsExactly({ heard }: Party, table: (code: number) => number): Promise<void> {
  const runs = Array.from({ length: 16 }, (_, first) =>
    Buffer.concat(Array.from({ length: 10 }, (_, i) => coded(first + i).map(table))),
  );
  await vi.waitFor(() => {
    const all = Buffer.concat(heard);
    expect(runs.some((run) => all.includes(run))).toBe(true);
  }, WAIT);
}

test.each(['PCMU', 'PCMA'] as const)('%s to %s is the same, byte for byte', async (codec) => {
  await start();
  const [customer, agent] = [await party(), await party()];
  // What is heard may be said before anybody can speak.
  agent.port.hear(originalOf(customer));
  connect(customer, codec);
  connect(agent, codec);
  speak(customer, codec, coded);
  await hearsExactly(agent, (code) => code);
  const waits = percentilesOf(agent.port.stats().direct);
  // On a machine that keeps time it is 20 to 40 ms; what waits is bounded on any.
  expect(waits?.p50).toBeGreaterThan(1);
  expect(waits?.p50).toBeLessThan(200);
  // Nobody has told the customer to hear anybody.
  expect(Buffer.concat(customer.heard).every((byte) => byte === (codec === 'PCMU' ? 0xff : 0xd5))).toBe(true);
});

test('PCMU to PCMA is what the table of the standard has for it', async () => {
  await start();
  const [customer, agent] = [await party(), await party()];
  connect(customer, 'PCMU');
  connect(agent, 'PCMA');
  agent.port.hear(originalOf(customer));
  speak(customer, 'PCMU', coded);
  await hearsExactly(agent, (code) => alawOfMulaw[code] as number);
});

test('Opus to PCMU is as loud as it was', async () => {
  await start();
  const encoder = await createEncoder({ channels: 1, sampleRate: 48_000 });
  const [customer, agent] = [await party(), await party()];
  connect(customer, 'opus');
  connect(agent, 'PCMU');
  agent.port.hear(originalOf(customer));
  speak(customer, 'opus', (n) => {
    const samples = Int16Array.from({ length: 960 }, (_, i) =>
      Math.round(8000 * Math.sin((2 * Math.PI * 500 * (n * 960 + i)) / 48_000)),
    );
    return encoder.encode(samples, { frameSize: 960, maxPacketBytes: 1275 });
  });
  await vi.waitFor(() => {
    const recent = Buffer.concat(agent.heard.slice(-15));
    const samples = new Int16Array(recent.length);
    expand(mulaw, recent, 0, recent.length, samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    expect(Math.abs(10 * Math.log10(power / (8000 ** 2 / 2)))).toBeLessThan(1);
  }, WAIT);
  encoder.free();
});

test('hold, either way, is silence; after it there is the voice again', async () => {
  await start();
  const [customer, agent] = [await party(), await party()];
  connect(customer, 'PCMU');
  connect(agent, 'PCMU');
  agent.port.hear(originalOf(customer));
  speak(customer, 'PCMU', coded);
  await hearsExactly(agent, (code) => code);
  connect(customer, 'PCMU', { held: true, direction: 'recvonly' });
  await vi.waitFor(() => {
    agent.heard.splice(0, agent.heard.length - 5);
    expect(agent.heard).toHaveLength(5);
    expect(Buffer.concat(agent.heard).every((byte) => byte === 0xff)).toBe(true);
  }, WAIT);
  connect(agent, 'PCMU', { held: true, direction: 'recvonly' });
  connect(customer, 'PCMU');
  const sent = (): number => agent.port.stats().packetsSent;
  await vi.waitFor(async () => {
    const before = sent();
    await vi.waitFor(() => expect(customer.port.stats().packetsSent).toBeGreaterThan(0));
    expect(sent()).toBe(before);
  }, WAIT);
  agent.heard.length = 0;
  connect(agent, 'PCMU');
  await hearsExactly(agent, (code) => code);
});

test('who leaves is silence, and harms nobody', async () => {
  await start();
  const [customer, agent] = [await party(), await party()];
  connect(customer, 'PCMU');
  connect(agent, 'PCMU');
  agent.port.hear(originalOf(customer));
  speak(customer, 'PCMU', coded);
  await hearsExactly(agent, (code) => code);
  await customer.port.close();
  agent.port.hear(originalOf(customer));
  await vi.waitFor(() => {
    agent.heard.splice(0, agent.heard.length - 5);
    expect(agent.heard).toHaveLength(5);
    expect(Buffer.concat(agent.heard).every((byte) => byte === 0xff)).toBe(true);
  }, WAIT);
  expect(warnings).toEqual([]);
});

test('a leg in another worker is not heard, and that is said', async () => {
  await start(2);
  const [customer, agent] = [await party('sess_1'), await party('sess_2')];
  connect(customer, 'PCMU');
  connect(agent, 'PCMU');
  agent.port.hear(originalOf(customer));
  speak(customer, 'PCMU', coded);
  await vi.waitFor(() => expect(warnings).toEqual([{ session: 'sess_2' }]), WAIT);
  await vi.waitFor(() => expect(agent.heard.length).toBeGreaterThan(10), WAIT);
  expect(Buffer.concat(agent.heard).every((byte) => byte === 0xff)).toBe(true);
});
