import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MULAW_8K } from '../../src/audio/format.ts';
import { AudioRing } from '../../src/audio/ring.ts';
import type { MediaSettings } from '../../src/media/media-port.ts';
import { nodeSockets } from '../../src/media/node-socket.ts';
import { readRtcp, writeRtcp } from '../../src/media/rtcp.ts';
import { RtpLeg } from '../../src/media/rtp-leg.ts';
import { StatsBlock } from '../../src/media/stats-block.ts';
import type { FromWorker } from '../../src/media/worker-protocol.ts';
import { eventPayload } from '../support/rtp-packet.ts';
import { newKey, Srtp } from '../support/srtp.ts';

/** One leg on real sockets, with the slots of the pacer given out by the test. */
const inbound = AudioRing.create(8192);
const outbound = AudioRing.create(8192);
let stats: StatsBlock;
let leg: RtpLeg;
let rtpPort: number;
let peer: Socket;
let other: Socket;
let events: FromWorker[];
let slot = 0;

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Opens the leg at some free pair of ports. */
function openLeg(): void {
  const setup = {
    kind: 'rtp' as const,
    leg: 1,
    address: '127.0.0.1',
    callerAddress: '127.0.0.1',
    timeoutSeconds: 1,
    inbound: inbound.buffer,
    inboundFormat: MULAW_8K,
    outbound: outbound.buffer,
    outboundFormat: MULAW_8K,
    stats: stats.buffer,
  };
  for (let tries = 0; ; tries++) {
    rtpPort = 10_000 + 2 * Math.floor(Math.random() * 5000);
    try {
      leg = new RtpLeg({ ...setup, rtpPort }, nodeSockets, (event) => events.push(event));
      return;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

beforeEach(async () => {
  stats = StatsBlock.create();
  events = [];
  for (const ring of [inbound, outbound]) ring.read(new Uint8Array(8192));
  openLeg();
  peer = await bound();
  other = await bound();
});

afterEach(async () => {
  await new Promise<void>((resolve) => leg.close(resolve));
  peer.close();
  other.close();
});

function configure(changes: Partial<MediaSettings> = {}): void {
  const settings: MediaSettings = {
    codec: 'PCMU',
    payloadType: 0,
    comfortNoisePayloadType: 13,
    telephoneEvents: [{ payloadType: 101, clockRate: 8000 }],
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
  };
  leg.configure(settings, performance.now());
}

function rtp(sequence: number, payloadType = 0): Buffer {
  const packet = Buffer.alloc(172, 0x31);
  packet[0] = 0x80;
  packet[1] = payloadType;
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(sequence * 160, 4);
  packet.writeUInt32BE(7, 8);
  return packet;
}

const tick = (now = performance.now()): void => {
  slot += 4;
  leg.tick(slot, now);
};

/** The next packet that one tick sends, and who got it. */
async function heardAt(socket: Socket): Promise<Buffer> {
  const message = once(socket, 'message') as Promise<[Buffer, RemoteInfo]>;
  tick();
  const [packet, from] = await message;
  expect(from.port).toBe(rtpPort);
  return packet;
}

async function send(
  from: Socket,
  packet: Buffer,
  counted: keyof ReturnType<StatsBlock['read']>,
): Promise<void> {
  const before = stats.read()[counted] as number;
  from.send(packet, rtpPort, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read()[counted]).toBe(before + 1));
}

/** Nobody listens there for this one, says the kernel: whatever it sends is dropped unheard. */
async function isDeafTo(stranger: Socket): Promise<void> {
  const before = stats.read();
  const refused = once(stranger, 'error');
  stranger.connect(rtpPort, '127.0.0.1');
  await once(stranger, 'connect');
  stranger.send(rtp(99));
  expect((await refused)[0]).toMatchObject({ code: 'ECONNREFUSED' });
  stranger.disconnect();
  expect(stats.read()).toEqual(before);
}

test('sends to the SDP address first, then to the source that sends', async () => {
  configure();
  leg.startSending(performance.now());
  await heardAt(peer);
  await send(other, rtp(1), 'packetsReceived');
  expect(stats.read().source).toBe(`127.0.0.1:${other.address().port}`);
  expect(events).toEqual([{ type: 'first_packet', leg: 1, at: expect.any(Number) }]);
  await heardAt(other);
});

test('after a re-INVITE that moved the peer it sends to the new SDP address at once', async () => {
  configure();
  leg.startSending(performance.now());
  await send(other, rtp(1), 'packetsReceived');
  configure({ moved: true });
  await heardAt(peer);
  await send(peer, rtp(2), 'packetsReceived');
  await isDeafTo(other);
  expect(events).toHaveLength(1);
});

describe('once the source is locked', () => {
  const start = 1_000_000;
  let now = start;
  beforeEach(() => {
    now = start;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('the kernel drops strangers, until the source has been silent for a second', async () => {
    configure();
    await send(peer, rtp(1), 'packetsReceived');
    await isDeafTo(other);
    expect(stats.read().packetsDroppedBySource).toBe(0);
    now = start + 999;
    tick();
    await isDeafTo(other);
    now = start + 1000;
    tick();
    await send(other, rtp(2), 'packetsDroppedBySource');
    await send(peer, rtp(2), 'packetsReceived');
    await isDeafTo(other);
  });

  test('a peer whose NAT has given it another port is heard and spoken to there after 2 s', async () => {
    configure();
    leg.startSending(performance.now());
    await send(peer, rtp(1), 'packetsReceived');
    now = start + 1500;
    tick();
    await send(other, rtp(2), 'packetsDroppedBySource');
    now = start + 2000;
    await send(other, rtp(3), 'packetsReceived');
    await heardAt(other);
    await isDeafTo(peer);
  });

  test('a re-INVITE that moves the media opens the socket at once', async () => {
    configure();
    await send(peer, rtp(1), 'packetsReceived');
    configure({ moved: true, remotePort: other.address().port });
    await send(other, rtp(2), 'packetsReceived');
    await isDeafTo(peer);
  });

  test('where the old source goes on after a move the new one is heard whenever it comes', async () => {
    configure();
    await send(peer, rtp(1), 'packetsReceived');
    configure({ moved: true, remotePort: other.address().port });
    now = start + 2000;
    await send(peer, rtp(2), 'packetsReceived');
    await send(other, rtp(3), 'packetsReceived');
    await isDeafTo(peer);
  });

  test('after a hold of any length the peer is heard again, and a stranger still is not', async () => {
    configure();
    await send(peer, rtp(1), 'packetsReceived');
    configure({ held: true });
    now = start + 60_000;
    tick();
    configure();
    await send(peer, rtp(2), 'packetsReceived');
    await isDeafTo(other);
  });

  test('a peer that refuses our packets costs errors, and no call', async () => {
    configure();
    leg.startSending(performance.now());
    await send(peer, rtp(1), 'packetsReceived');
    const { port } = peer.address();
    peer.close();
    await once(peer, 'close');
    await vi.waitFor(() => {
      tick();
      expect(stats.read().socketErrors).toBeGreaterThan(2);
    });
    peer = createSocket('udp4');
    peer.bind(port, '127.0.0.1');
    await once(peer, 'listening');
    const heard = once(peer, 'message');
    await send(peer, rtp(2), 'packetsReceived');
    // The first may still be told of the refusals before.
    for (let i = 0; i < 5; i++) tick();
    await heard;
    expect(events.filter(({ type }) => type !== 'first_packet')).toEqual([]);
  });
});

test('before sending starts nothing leaves', () => {
  configure();
  for (let i = 0; i < 10; i++) tick();
  expect(stats.read().packetsSent).toBe(0);
});

test.each([
  ['recvonly', { direction: 'recvonly' }],
  ['inactive', { direction: 'inactive' }],
  ['hold', { held: true }],
  ['an unspecified IPv4 address', { remoteAddress: '0.0.0.0' }],
  ['an unspecified IPv6 address', { remoteAddress: '::' }],
  ['port 0', { remotePort: 0 }],
  ['a port that is none', { remotePort: 70_000 }],
  ['an address that is none', { remoteAddress: 'pbx.example.org' }],
] as [string, Partial<MediaSettings>][])(
  'nothing is sent to %s, also after the lock; afterwards it goes on',
  async (_, changes) => {
    configure(changes);
    leg.startSending(performance.now());
    await send(peer, rtp(1), 'packetsReceived');
    for (let i = 0; i < 10; i++) tick();
    expect(stats.read().packetsSent).toBe(0);
    configure();
    await heardAt(peer);
    expect(stats.read()).toMatchObject({ packetsSent: 1, socketErrors: 0 });
  },
);

test('until it is configured nothing is received', async () => {
  peer.send(rtp(1), rtpPort, '127.0.0.1');
  // What this machine sent before has been read when this is.
  const fence = once(other, 'message');
  peer.send('fence', other.address().port, '127.0.0.1');
  await fence;
  configure();
  await send(peer, rtp(2), 'packetsReceived');
  expect(stats.read()).toMatchObject({ packetsReceived: 1, packetsDroppedInvalid: 0 });
});

test('negotiated types without speech count, others are dropped, and neither is heard', async () => {
  configure();
  await send(peer, rtp(1, 101), 'packetsReceived');
  await send(peer, rtp(2, 96), 'packetsDroppedInvalid');
  await send(peer, Buffer.from('not RTP at all'), 'packetsDroppedInvalid');
  expect(inbound.readable).toBe(0);
  await send(peer, rtp(2), 'packetsReceived');
  expect(inbound.readable).toBe(160);
});

test('after a change of codec the type of the one before is still taken, and no older one', async () => {
  configure();
  await send(peer, rtp(1), 'packetsReceived');
  configure({ codec: 'PCMA', payloadType: 8 });
  await send(peer, rtp(2), 'packetsReceived');
  expect(inbound.readable).toBe(320);
  await send(peer, rtp(3, 8), 'packetsReceived');
  configure({ codec: 'opus', payloadType: 96 });
  await send(peer, rtp(4), 'packetsDroppedInvalid');
  await send(peer, rtp(4, 8), 'packetsReceived');
});

test('RTCP is taken on its own port and on the RTP port, from the peer only', async () => {
  const report = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 7]);
  configure();
  await send(peer, rtp(1), 'packetsReceived');
  await send(peer, report, 'rtcpReceived');
  peer.send(report, rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().rtcpReceived).toBe(2));
  peer.send(Buffer.from('rubbish'), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().packetsDroppedInvalid).toBe(1));
});

test('reports to the RTCP port of the SDP, behind a NAT to where the peer reports from, and says BYE at the end', async () => {
  const [theirRtcp, behindNat] = [await bound(), await bound()];
  const packetAt = async (socket: Socket) => readRtcp((await once(socket, 'message'))[0] as Buffer);
  configure({ remotePort: other.address().port, remoteRtcpPort: theirRtcp.address().port });
  const start = performance.now();
  leg.startSending(start);
  await send(peer, rtp(1), 'packetsReceived');
  await send(peer, rtp(3), 'packetsReceived');
  const first = packetAt(theirRtcp);
  tick(start + 3_100);
  expect(await first).toMatchObject({
    senderReports: [{ ssrc: expect.any(Number) }],
    blocks: [{ ssrc: 7, totalLost: 1, fractionLost: 85, highestSequence: 3 }],
  });
  const ssrc = (await first)?.senderReports[0]?.ssrc ?? 0;
  const block = { ssrc, fractionLost: 0, totalLost: 4, highestSequence: 9, jitter: 80 };
  const theirs = { ssrc: 7, cname: 'peer', sender: undefined, bye: false };
  behindNat.send(
    writeRtcp({ ...theirs, blocks: [{ ...block, lastSr: 0, delaySinceLastSr: 0 }] }),
    rtpPort + 1,
    '127.0.0.1',
  );
  await vi.waitFor(() => expect(stats.read().peerPacketsLost).toBe(4));
  expect(stats.read()).toMatchObject({ peerJitterMs: 10, rtcpSent: 1, rtcpReceived: 1, roundTripMs: -1 });
  const last = packetAt(behindNat);
  await new Promise<void>((resolve) => leg.close(resolve));
  expect(await last).toMatchObject({ bye: true });
  theirRtcp.close();
  behindNat.close();
  openLeg();
});

const receiverReport = (ssrc: number, totalLost: number): Buffer =>
  writeRtcp({
    ssrc: 7,
    cname: 'peer',
    sender: undefined,
    bye: false,
    blocks: [
      { ssrc, fractionLost: 0, totalLost, highestSequence: 9, jitter: 80, lastSr: 0, delaySinceLastSr: 0 },
    ],
  });

test('without a NAT nobody else draws the reports to itself, or reports in the name of the peer', async () => {
  const [theirRtcp, stranger] = [await bound(), await bound()];
  configure({ remoteRtcpPort: theirRtcp.address().port });
  const start = performance.now();
  leg.startSending(start);
  await send(peer, rtp(1), 'packetsReceived');
  const first = once(theirRtcp, 'message');
  tick(start + 3_100);
  const ssrc = readRtcp((await first)[0] as Buffer)?.senderReports[0]?.ssrc ?? 0;
  stranger.send(receiverReport(ssrc, 1000), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().packetsDroppedBySource).toBe(1));
  theirRtcp.send(receiverReport(ssrc, 4), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().peerPacketsLost).toBe(4));
  expect(stats.read()).toMatchObject({ rtcpReceived: 1, packetsDroppedBySource: 1 });
  const last = once(theirRtcp, 'message');
  await new Promise<void>((resolve) => leg.close(resolve));
  expect(readRtcp((await last)[0] as Buffer)).toMatchObject({ bye: true });
  theirRtcp.close();
  stranger.close();
  openLeg();
});

test('behind a NAT the first port that reports is the peer’s, until it is silent', async () => {
  const [behindNat, stranger] = [await bound(), await bound()];
  configure({ remotePort: other.address().port, remoteRtcpPort: other.address().port + 1 });
  await send(peer, rtp(1), 'packetsReceived');
  behindNat.send(receiverReport(1, 0), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().rtcpReceived).toBe(1));
  stranger.send(receiverReport(1, 0), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().packetsDroppedBySource).toBe(1));
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 15_000);
  stranger.send(receiverReport(1, 0), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().rtcpReceived).toBe(2));
  vi.restoreAllMocks();
  behindNat.close();
  stranger.close();
});

test('reports of strangers keep no call alive whose peer is gone', async () => {
  configure({ remoteRtcpPort: other.address().port });
  const start = performance.now();
  leg.startSending(start);
  await send(peer, rtp(1), 'packetsReceived');
  const stranger = await bound();
  vi.spyOn(performance, 'now').mockReturnValue(start + 40_000);
  stranger.send(receiverReport(1, 0), rtpPort + 1, '127.0.0.1');
  await vi.waitFor(() => expect(stats.read().packetsDroppedBySource).toBe(1));
  vi.restoreAllMocks();
  tick(start + 40_100);
  expect(events).toContainEqual({ type: 'media_timeout', leg: 1 });
  stranger.close();
});

test('with rtcp-mux reports share the RTP port', async () => {
  const { port } = peer.address();
  configure({ rtcpMux: true, remoteRtcpPort: port });
  const start = performance.now();
  leg.startSending(start);
  const kinds: number[] = [];
  peer.on('message', (packet) => kinds.push(packet[1] as number));
  tick(start + 3_100);
  await vi.waitFor(() => expect(kinds.some((kind) => kind === 200)).toBe(true));
});

test('a peer that is gone is reported once, and only when it should send', () => {
  const start = performance.now();
  configure({ direction: 'recvonly' });
  tick(start + 40_000);
  configure({ held: true });
  tick(start + 50_000);
  expect(events).toEqual([]);
  configure();
  tick(start + 60_000);
  tick(start + 70_000);
  expect(events).toEqual([{ type: 'media_timeout', leg: 1 }]);
});

test.each([
  ['RTP', () => rtp(1), 0],
  ['RTCP', () => writeRtcp({ ssrc: 7, cname: 'x', sender: undefined, blocks: [], bye: false }), 1],
])('an error of ours at %s costs the leg, and its worker nothing', async (_, packet, port) => {
  configure();
  const add = vi.spyOn(StatsBlock.prototype, 'add').mockImplementation(() => {
    throw new Error('on purpose');
  });
  peer.send(packet(), rtpPort + port, '127.0.0.1');
  const failed = () => expect(events.at(-1)).toMatchObject({ type: 'failed', leg: 1 });
  await vi.waitFor(failed).finally(() => add.mockRestore());
});

test('a port that is taken is an error, and nothing of the pair stays open', async () => {
  const squatter = createSocket('udp4');
  const free = rtpPort;
  await new Promise<void>((resolve) => leg.close(resolve));
  squatter.bind(free + 1, '127.0.0.1');
  await once(squatter, 'listening');
  const setup = {
    kind: 'rtp' as const,
    leg: 2,
    address: '127.0.0.1',
    rtpPort: free,
    callerAddress: '127.0.0.1',
    timeoutSeconds: 0,
    inbound: inbound.buffer,
    inboundFormat: MULAW_8K,
    outbound: outbound.buffer,
    outboundFormat: MULAW_8K,
    stats: stats.buffer,
  };
  expect(() => new RtpLeg(setup, nodeSockets, () => undefined)).toThrow(/EADDRINUSE/);
  squatter.close();
  await once(squatter, 'close');
  leg = new RtpLeg(setup, nodeSockets, () => undefined);
});

describe('with SRTP', () => {
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const [ours, theirs, another] = [newKey(suite), newKey(suite), newKey(suite)];
  const keys = { suite, localKey: ours, remoteKey: theirs, remoteMki: '' } as const;
  const report = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 7]);
  let phone: Srtp;

  beforeEach(() => {
    phone = new Srtp(suite, theirs);
    configure({ srtp: keys });
  });

  test('what the peer says is heard, and what it is to hear is under our key', async () => {
    leg.startSending(performance.now());
    await send(peer, phone.protect(rtp(1)), 'packetsReceived');
    const heard = new Uint8Array(160);
    inbound.read(heard);
    expect(heard.every((byte) => byte === 0x31)).toBe(true);
    const ear = new Srtp(suite, ours);
    for (let i = 0; i < 6; i++) {
      const packet = ear.open(await heardAt(peer));
      expect(packet?.subarray(12).every((byte) => byte === 0xff)).toBe(true);
      expect(packet).toHaveLength(172);
    }
  });

  test('a packet that is not authentic moves no source, keeps no call alive and is not heard', async () => {
    await send(other, rtp(1), 'packetsDroppedUnauthentic');
    await send(other, new Srtp(suite, another).protect(rtp(2)), 'packetsDroppedUnauthentic');
    expect(stats.read()).toMatchObject({ source: '', packetsReceived: 0, silentForMs: -1 });
    await send(peer, phone.protect(rtp(3)), 'packetsReceived');
    expect(stats.read().source).toBe(`127.0.0.1:${peer.address().port}`);
    await isDeafTo(other);
    await send(peer, rtp(5), 'packetsDroppedUnauthentic');
    expect(inbound.readable).toBe(160);
    expect(events).toEqual([{ type: 'first_packet', leg: 1, at: expect.any(Number) }]);
    tick(performance.now() + 60_000);
    expect(events).toContainEqual({ type: 'media_timeout', leg: 1 });
  });

  test('a packet that comes again is dropped, and the next is heard', async () => {
    const packet = phone.protect(rtp(1));
    await send(peer, packet, 'packetsReceived');
    await send(peer, packet, 'packetsDroppedReplayed');
    await send(peer, phone.protect(rtp(2)), 'packetsReceived');
    expect(stats.read()).toMatchObject({ packetsReceived: 2, packetsDuplicated: 0, packetsLost: 0 });
  });

  test('padding is taken off after the tag', async () => {
    const padded = rtp(1);
    padded[0] = 0xa0;
    padded[171] = 12;
    await send(peer, phone.protect(padded), 'packetsReceived');
    expect(inbound.readable).toBe(148);
  });

  test('RTCP is taken on both ports when it is authentic, and once', async () => {
    await send(peer, phone.protect(rtp(1)), 'packetsReceived');
    const packet = phone.protectRtcp(report);
    await send(peer, packet, 'rtcpReceived');
    await send(peer, packet, 'packetsDroppedReplayed');
    await send(peer, report, 'packetsDroppedUnauthentic');
    peer.send(phone.protectRtcp(report), rtpPort + 1, '127.0.0.1');
    await vi.waitFor(() => expect(stats.read().rtcpReceived).toBe(2));
  });

  test('reports go out under our key', async () => {
    configure({ srtp: keys, remoteRtcpPort: other.address().port });
    leg.startSending(performance.now());
    const reported = once(other, 'message') as Promise<[Buffer, RemoteInfo]>;
    tick(performance.now() + 5000);
    const report = new Srtp(suite, ours).openRtcp((await reported)[0]) as Buffer;
    expect(report.subarray(0, 2)).toEqual(Buffer.from([0x80, 200]));
    // What follows the sender report is the description of the source.
    expect(report[1 + 4 * (report.readUInt16BE(2) + 1)]).toBe(202);
  });

  test('a new key of the peer counts at once; what we send begins a new stream, and time goes on', async () => {
    leg.startSending(performance.now());
    await send(peer, phone.protect(rtp(1)), 'packetsReceived');
    const ear = new Srtp(suite, ours);
    const before = ear.open(await heardAt(peer)) as Buffer;
    configure({ srtp: keys });
    const same = ear.open(await heardAt(peer)) as Buffer;
    expect(same.readUInt32BE(8)).toBe(before.readUInt32BE(8));
    configure({ srtp: { ...keys, remoteKey: another } });
    const after = ear.open(await heardAt(peer)) as Buffer;
    expect(after.readUInt32BE(8)).not.toBe(before.readUInt32BE(8));
    expect(after.readUInt16BE(2)).toBeLessThan(0x8000);
    expect((after.readUInt32BE(4) - same.readUInt32BE(4)) >>> 0).toBe(160);
    await send(peer, new Srtp(suite, another).protect(rtp(2)), 'packetsReceived');
    await send(peer, phone.protect(rtp(3)), 'packetsReceived');
  });

  test('plain RTP is taken again after a re-INVITE without keys', async () => {
    await send(peer, phone.protect(rtp(1)), 'packetsReceived');
    configure();
    await send(peer, rtp(2), 'packetsReceived');
    leg.startSending(performance.now());
    expect(await heardAt(peer)).toHaveLength(172);
  });
});

test('what has come for the peer since the last tick counts at the next one, sent or not', () => {
  const counted = () => outbound.latency.read().reduce((sum, count) => sum + count, 0);
  configure();
  tick();
  const before = counted();
  outbound.latency.note(0, performance.now());
  tick();
  tick();
  expect(counted()).toBe(before + 1);
});

test('keys come at either rate that was agreed, and go out at the first; both count as any packet', async () => {
  const telephoneEvents = [
    { payloadType: 102, clockRate: 48_000 },
    { payloadType: 101, clockRate: 8000 },
  ];
  configure({ telephoneEvents });
  const key = (sequence: number, payloadType: number, digit: string, duration: number) =>
    Buffer.concat([rtp(sequence, payloadType).subarray(0, 12), eventPayload(digit, duration, true)]);
  await send(peer, key(1, 101, '1', 800), 'packetsReceived');
  await send(peer, key(2, 102, '2', 4800), 'packetsReceived');
  await send(peer, key(3, 103, '3', 800), 'packetsDroppedInvalid');
  expect(events.filter(({ type }) => type === 'digit')).toEqual(
    ['1', '2'].map((digit) => ({ type: 'digit', leg: 1, digit, durationMs: 100 })),
  );
  leg.startSending(performance.now());
  leg.press('9', 40, 40);
  const [first, second] = [await heardAt(peer), await heardAt(peer)];
  expect([...first.subarray(0, 2), ...first.subarray(12)]).toEqual([
    0x80,
    0x80 | 102,
    9,
    10,
    960 >> 8,
    960 & 0xff,
  ]);
  expect([...second.subarray(12)]).toEqual([9, 0x8a, 1920 >> 8, 1920 & 0xff]);
});
