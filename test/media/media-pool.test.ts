import { spawn } from 'node:child_process';
import { createSocket, Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMediaPool, type MediaPoolOptions } from '../../src/media/media-pool.ts';
import type {
  MediaEvent,
  MediaPool,
  MediaSettings,
  RtpPort,
  RtpPortOptions,
} from '../../src/media/media-port.ts';

/** Real workers and real sockets on loopback. */
const FIRST_PORT = 12_000 + (process.pid % 200) * 40;
const WAIT = { timeout: 10_000, interval: 10 };
const poolModule = JSON.stringify(new URL('../../src/media/media-pool.ts', import.meta.url).href);
const workers: Worker[] = [];
const onWorker = (worker: Worker): void => {
  workers.push(worker);
};
let pool: MediaPool;
let peer: Socket;
let packets: Buffer[];

async function start(options: Partial<MediaPoolOptions> = {}): Promise<void> {
  pool = await createMediaPool({
    bindAddress: '127.0.0.1',
    ports: { from: FIRST_PORT, to: FIRST_PORT + 39 },
    workers: 1,
    ...options,
  });
}

beforeEach(async () => {
  process.on('worker', onWorker);
  peer = createSocket('udp4');
  peer.bind(0, '127.0.0.1');
  await once(peer, 'listening');
  packets = [];
  peer.on('message', (packet) => packets.push(packet));
});

afterEach(async () => {
  await pool.close();
  peer.close();
  process.off('worker', onWorker);
  workers.length = 0;
});

/** Nobody holds the pair, what a dead worker had open included. */
async function expectFree(rtpPort: number): Promise<void> {
  for (const port of [rtpPort, rtpPort + 1]) {
    const socket = createSocket('udp4').bind(port, '127.0.0.1');
    await once(socket, 'listening');
    socket.close();
  }
}

const open = (options: Partial<RtpPortOptions> = {}): Promise<RtpPort> =>
  pool.open({
    affinity: 'sess_1',
    family: 4,
    callerAddress: '127.0.0.1',
    timeoutSeconds: 0,
    onEvent: () => undefined,
    ...options,
  });

const settings = (changes: Partial<MediaSettings> = {}): MediaSettings => ({
  codec: 'PCMU',
  payloadType: 0,
  comfortNoisePayloadType: null,
  telephoneEvents: [],
  remoteAddress: '127.0.0.1',
  remotePort: peer.address().port,
  remoteRtcpPort: 0,
  remoteRtcpAddress: '127.0.0.1',
  rtcpMux: false,
  direction: 'sendrecv',
  held: false,
  ptimeMs: 20,
  moved: false,
  srtp: null,
  ...changes,
});

function rtp(sequence: number, fill: number): Buffer {
  const packet = Buffer.alloc(172, fill);
  packet[0] = 0x80;
  packet[1] = 0;
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(sequence * 160, 4);
  packet.writeUInt32BE(7, 8);
  return packet;
}

function readAll(port: RtpPort): Buffer {
  const bytes = Buffer.alloc(port.inbound.readable);
  port.inbound.read(bytes);
  return bytes;
}

/** Speaks until the port has heard it: a worker that has just been configured may miss the first packets. */
async function speakUntilHeard(port: RtpPort, from: Socket = peer): Promise<void> {
  let sequence = 0;
  await vi.waitFor(() => {
    from.send(rtp(sequence++, 0x11), port.rtpPort, '127.0.0.1');
    expect(port.stats().packetsReceived).toBeGreaterThan(0);
  }, WAIT);
}

test('what the party says is in the inbound ring, byte for byte', async () => {
  await start();
  const events: MediaEvent[] = [];
  const port = await open({ onEvent: (event) => events.push(event) });
  port.configure(settings());
  await vi.waitFor(() => expect(port.inbound.readable).toBeGreaterThan(0), WAIT);
  readAll(port);
  for (let n = 0; n < 40; n++) peer.send(rtp(n, n + 1), port.rtpPort, '127.0.0.1');
  let heard = Buffer.alloc(0);
  await vi.waitFor(() => {
    heard = Buffer.concat([heard, readAll(port)]);
    expect(heard.filter((byte) => byte !== 0xff)).toHaveLength(6400);
  }, WAIT);
  const expected = Buffer.concat(Array.from({ length: 40 }, (_, n) => Buffer.alloc(160, n + 1)));
  expect(heard.includes(expected)).toBe(true);
  await vi.waitFor(() => expect(events).toEqual([{ type: 'first_packet', at: expect.any(Number) }]), WAIT);
  expect(port.stats()).toMatchObject({ packetsReceived: 40, packetsLost: 0, bytesReceived: 6400 });
});

test('what it is to hear comes as packets of 20 ms with continuous numbers, from the port in the SDP', async () => {
  await start();
  const port = await open();
  expect(port.address).toBe('127.0.0.1');
  expect(port.rtpPort % 2).toBe(0);
  port.configure(settings());
  port.startSending();
  await vi.waitFor(() => expect(packets.length).toBeGreaterThan(2), WAIT);
  const speech = Buffer.from(Uint8Array.from({ length: 4000 }, (_, i) => i % 200));
  port.outbound.write(speech);
  await vi.waitFor(() => expect(port.outbound.readable).toBe(0), WAIT);
  const silent = packets.length + 3;
  await vi.waitFor(() => expect(packets.length).toBeGreaterThan(silent), WAIT);
  packets.slice(1).forEach((packet, i) => {
    const before = packets[i] as Buffer;
    expect(packet.length).toBe(172);
    expect((packet.readUInt16BE(2) - before.readUInt16BE(2)) & 0xffff).toBe(1);
    // On a machine that stalls for over 100 ms timestamps skip what was not sent, in whole packets.
    const step = (packet.readUInt32BE(4) - before.readUInt32BE(4)) >>> 0;
    expect(step).toBeGreaterThan(0);
    expect(step % 160).toBe(0);
    expect(packet.readUInt32BE(8)).toBe(before.readUInt32BE(8));
  });
  expect(Buffer.concat(packets.map((packet) => packet.subarray(12))).includes(speech)).toBe(true);
  const first = packets.find((packet) => packet[12] !== 0xff) as Buffer;
  expect(first[1]).toBe(0x80);
});

test('an attacker at another port changes neither what is heard nor where it is sent', async () => {
  await start();
  const attacker = createSocket('udp4');
  const stolen: Buffer[] = [];
  attacker.on('message', (packet) => stolen.push(packet));
  const port = await open();
  port.configure(settings());
  await speakUntilHeard(port);
  port.startSending();
  const heard = port.stats().packetsReceived;
  for (let n = 0; n < 50; n++) {
    peer.send(rtp(1000 + n, 0x11), port.rtpPort, '127.0.0.1');
    await new Promise((sent) => attacker.send(rtp(1000 + n, 0x66), port.rtpPort, '127.0.0.1', sent));
  }
  await vi.waitFor(() => expect(port.stats().packetsReceived).toBeGreaterThanOrEqual(heard + 50), WAIT);
  await vi.waitFor(() => expect(packets.length).toBeGreaterThan(5), WAIT);
  expect(readAll(port).includes(0x66)).toBe(false);
  expect(stolen).toEqual([]);
  expect(port.stats().source).toBe(`127.0.0.1:${peer.address().port}`);
  attacker.close();
});

test('no packets for the timeout is reported', async () => {
  await start();
  const timeout = Promise.withResolvers<MediaEvent>();
  const port = await open({ timeoutSeconds: 0.1, onEvent: timeout.resolve });
  port.configure(settings());
  expect(await timeout.promise).toEqual({ type: 'media_timeout' });
});

test('a pair that somebody else holds is passed over; none left is a refusal', async () => {
  await start({ ports: { from: FIRST_PORT, to: FIRST_PORT + 5 } });
  const squatter = createSocket('udp4');
  squatter.bind(FIRST_PORT + 1, '127.0.0.1');
  await once(squatter, 'listening');
  const ports = [await open(), await open()];
  expect(ports.map((port) => port.rtpPort).sort()).toEqual([FIRST_PORT + 2, FIRST_PORT + 4]);
  await expect(open()).rejects.toMatchObject({ code: 'no_media_ports' });
  expect(pool.usage()).toEqual({ used: 2, total: 3, forNewSessions: 3 });
  squatter.close();
});

test('closing frees the pair, twice is once, and the last counters remain', async () => {
  await start();
  const port = await open();
  port.configure(settings());
  await speakUntilHeard(port);
  expect(pool.usage().used).toBe(1);
  const [first, second] = await Promise.all([port.close(), port.close()]);
  expect(first).toEqual(second);
  expect(first.packetsReceived).toBeGreaterThan(0);
  expect(pool.usage().used).toBe(0);
  expect((await open()).rtpPort).not.toBe(port.rtpPort);
  // Its sockets are gone: somebody else can have the port.
  const taker = createSocket('udp4');
  taker.bind(port.rtpPort, '127.0.0.1');
  await once(taker, 'listening');
  taker.close();
});

test('a worker that dies takes its own legs only, and is replaced', async () => {
  await start({ workers: 2 });
  const lost: string[] = [];
  const track = (name: string) => (event: MediaEvent) => {
    if (event.type === 'worker_lost') lost.push(name);
  };
  const one = await open({ affinity: 'sess_1', onEvent: track('one') });
  const other = await open({ affinity: 'sess_2', onEvent: track('other') });
  const sameAsOne = await open({ affinity: 'sess_1', onEvent: track('sameAsOne') });
  other.configure(settings());
  await (workers[0] as Worker).terminate();
  await vi.waitFor(() => expect(lost).toEqual(['one', 'sameAsOne']), WAIT);
  await speakUntilHeard(other);
  expect((await one.close()).packetsReceived).toBe(0);
  one.configure(settings());
  sameAsOne.startSending();
  await vi.waitFor(() => expect(workers).toHaveLength(3), WAIT);
  expect(pool.usage().used).toBe(1);
  const again = await open({ affinity: 'sess_1', onEvent: track('again') });
  again.configure(settings());
  await speakUntilHeard(again);
  // The new worker has it, as the least loaded one.
  await (workers[2] as Worker).terminate();
  await vi.waitFor(() => expect(lost).toContain('again'), WAIT);
  expect(lost).not.toContain('other');
  for (const { rtpPort } of [one, sameAsOne, again]) await expectFree(rtpPort);
});

test.each(['libc', 'node'] as const)(
  'RTP goes by the sockets of %s where they are asked for',
  async (sockets) => {
    const told: object[] = [];
    const log = {
      info: (details: object) => told.push(details),
      warn: () => undefined,
      error: () => undefined,
    };
    await start({ sockets, log });
    expect(told).toEqual([{ workers: 1, sockets }]);
    const port = await open();
    port.configure(settings());
    await speakUntilHeard(port);
  },
);

test('an error of ours in one leg costs that leg only', async () => {
  await start();
  const events: string[] = [];
  const faulty = await open({ onEvent: ({ type }) => events.push(type) });
  const sound = await open();
  faulty.configure({ ...settings(), telephoneEvents: null as unknown as [], payloadType: 1 });
  sound.configure(settings());
  peer.send(Buffer.concat([Buffer.from([0x80, 0]), Buffer.alloc(170)]), faulty.rtpPort, '127.0.0.1');
  await vi.waitFor(() => expect(events).toEqual(['failed']), WAIT);
  await speakUntilHeard(sound);
  expect(workers).toHaveLength(1);
});

test('a handler that throws harms nobody', async () => {
  const errors: string[] = [];
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error: (_: object, text: string) => errors.push(text),
  };
  await start({ log });
  const port = await open({
    onEvent: () => {
      throw new Error('the owner is confused');
    },
  });
  port.configure(settings());
  await speakUntilHeard(port);
  await vi.waitFor(() => expect(errors).toHaveLength(1), WAIT);
  await expect(port.close()).resolves.toMatchObject({ source: `127.0.0.1:${peer.address().port}` });
});

test('closing the pool ends every leg, and an open in between is refused', async () => {
  await start();
  const events: MediaEvent[] = [];
  const port = await open({ onEvent: (event) => events.push(event) });
  const late = open();
  const refused = expect(late).rejects.toMatchObject({ code: 'no_media_ports' });
  await pool.close();
  await refused;
  await expect(port.close()).resolves.toBeDefined();
  expect(events).toEqual([]);
  await expect(open()).rejects.toMatchObject({ code: 'no_media_ports' });
});

test('SDP shows the advertised address; a family that is not there is refused', async () => {
  await start({ advertisedAddress: '203.0.113.5' });
  expect((await open()).address).toBe('203.0.113.5');
  await expect(open({ family: 6 })).rejects.toMatchObject({ code: 'no_media_ports' });
});

// Told to bind every address, it binds the one that peers are told, where that is one of this machine.
test.each([
  ['127.0.0.1', 'free'],
  ['203.0.113.5', 'EADDRINUSE'],
])(
  'bound to every address, with %s in SDP: its port at another address is %s',
  async (advertisedAddress, found) => {
    await start({ bindAddress: '0.0.0.0', advertisedAddress });
    const { rtpPort, address } = await open();
    expect(address).toBe(advertisedAddress);
    const elsewhere = createSocket('udp4');
    const bound = new Promise((resolve) => {
      elsewhere.once('listening', () => resolve('free'));
      elsewhere.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    });
    elsewhere.bind(rtpPort, '127.0.0.2');
    expect(await bound).toBe(found);
    elsewhere.close();
  },
);

test('a receive buffer that is smaller than asked for is known at the start', async () => {
  const granted = vi.spyOn(Socket.prototype, 'getRecvBufferSize').mockReturnValue(8192);
  const warn = vi.fn();
  await start({ log: { info: () => undefined, warn, error: () => undefined } });
  granted.mockRestore();
  expect(warn).toHaveBeenCalledWith(
    { bytes: expect.any(Number), asked: 212_992, isLess: true },
    expect.stringContaining('net.core.rmem_max'),
  );
});

test('an address that is not of this machine stops the start', async () => {
  await start();
  await expect(
    createMediaPool({
      bindAddress: '192.0.2.1',
      ports: { from: FIRST_PORT, to: FIRST_PORT + 9 },
      workers: 1,
    }),
  ).rejects.toThrow(/media.address 192.0.2.1/);
});

test.each([
  ['it is not chosen', '', '"sockets":"node"'],
  ['it is insisted on', "sockets: 'libc',", 'a media worker did not start'],
])('where Node does not let the C library be called and %s', async (_, wanted, expected) => {
  await start();
  const script = `
    import { createMediaPool } from ${poolModule};
    const log = { info: (details) => console.log(JSON.stringify(details)), error() {} };
    const pool = await createMediaPool({ bindAddress: '127.0.0.1', ports: { from: ${FIRST_PORT}, to: ${FIRST_PORT + 1} }, workers: 1, ${wanted} log });
    await pool.close();`;
  const options = ['--no-experimental-ffi', '--input-type=module', '-e', script];
  const child = spawn(process.execPath, options);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  await once(child, 'close');
  expect(output).toContain(expected);
});

test('nothing is left after close: a process that used the pool ends by itself', async () => {
  await start();
  const script = `
    import { createMediaPool } from ${poolModule};
    const pool = await createMediaPool({ bindAddress: '127.0.0.1', ports: { from: ${FIRST_PORT + 20}, to: ${FIRST_PORT + 39} }, workers: 2 });
    const options = { family: 4, callerAddress: '127.0.0.1', timeoutSeconds: 60, onEvent() {} };
    const port = await pool.open({ affinity: 'a', ...options });
    await pool.open({ affinity: 'b', ...options });
    port.configure(${JSON.stringify(settings())});
    port.startSending();
    await port.close();
    await pool.close();
    console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|File/.test(name))));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  child.stderr.on('data', (text) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  expect(output.trim()).toBe('[]');
  expect(code).toBe(0);
});
