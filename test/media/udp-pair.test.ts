import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OpenFiles } from '../../src/media/open-files.ts';
import { openSockets } from '../../src/media/sockets.ts';
import {
  type OnDatagram,
  type SocketsKind,
  UdpPair,
  type UdpPairEvents,
  type UdpSockets,
} from '../../src/media/udp-pair.ts';

/** Real sockets on loopback: what the kernel does is the point. Both adapters keep the same contract. */
const kinds: readonly SocketsKind[] = process.platform === 'linux' ? ['libc', 'node'] : ['node'];
const files = new OpenFiles();
let sockets: UdpSockets;
let polling: NodeJS.Timeout;
let pair: UdpPair | undefined;
let rtpPort: number;
let heard: string[];
let errors: number;
let peer: Socket;
let stranger: Socket;

async function bound(host: string, port = 0): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}

function open(address: string, onRtp?: OnDatagram): UdpPair {
  const events: UdpPairEvents = {
    onRtp: onRtp ?? ((datagram) => heard.push(datagram.toString())),
    onRtcp: (datagram) => heard.push(`rtcp ${datagram}`),
    onError: () => {
      errors++;
    },
  };
  for (let tries = 0; ; tries++) {
    rtpPort = 10_000 + 2 * Math.floor(Math.random() * 5000);
    try {
      pair = new UdpPair(sockets, address, rtpPort, events);
      return pair;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

/** What was sent to this machine before is in the queues of its sockets. */
async function settled(): Promise<void> {
  const last = once(stranger, 'message');
  stranger.send('last', stranger.address().port, '127.0.0.2');
  await last;
}

/** Says something to a port, and what comes back of it: an answer, or that nobody listens there. */
async function knock(port = rtpPort): Promise<'refused' | 'heard'> {
  const before = heard.length;
  const refused = new Promise<'refused'>((resolve) => stranger.once('error', () => resolve('refused')));
  const taken = vi.waitFor(() => expect(heard.length).toBeGreaterThan(before)).then(() => 'heard' as const);
  stranger.connect(port, '127.0.0.1');
  await once(stranger, 'connect');
  stranger.send('knock');
  const answer = await Promise.race([refused, taken]);
  await taken.catch(() => undefined);
  stranger.disconnect();
  return answer;
}

beforeEach(async () => {
  heard = [];
  errors = 0;
  peer = await bound('127.0.0.1');
  stranger = await bound('127.0.0.2');
});

afterEach(() => {
  peer.close();
  stranger.close();
});

describe.each(kinds)('the sockets of %s', (kind) => {
  beforeEach(async () => {
    sockets = await openSockets(kind, files.buffer);
    expect(sockets.kind).toBe(kind);
    polling = setInterval(() => sockets.poll(), 2);
  });

  afterEach(async () => {
    await new Promise<void>((resolve) => (pair ? pair.close(resolve) : resolve()));
    pair = undefined;
    clearInterval(polling);
    files.closeAll();
  });

  test('while the RTP socket is connected the kernel turns strangers away; the RTCP socket hears all', async () => {
    const own = open('127.0.0.1');
    expect(await knock()).toBe('heard');
    own.connect(peer.address().port, '127.0.0.1');
    expect(own.connectable).toBe(false);
    expect(await knock()).toBe('refused');
    peer.send('from the peer', rtpPort, '127.0.0.1');
    await vi.waitFor(() => expect(heard).toEqual(['knock', 'from the peer']));
    expect(await knock(rtpPort + 1)).toBe('heard');
    own.disconnect();
    own.disconnect();
    expect(await knock()).toBe('heard');
  });

  test('it sends to its peer while it is connected, and to the address that is given when it is not', async () => {
    const own = open('127.0.0.1');
    const packets: string[] = [];
    peer.on('message', (packet) => packets.push(packet.toString()));
    const strange = once(stranger, 'message');
    own.connect(peer.address().port, '127.0.0.1');
    own.send(Buffer.from('1'), peer.address().port, '127.0.0.1');
    own.sendRtcp(Buffer.from('2'), stranger.address().port, '127.0.0.2', true);
    await vi.waitFor(() => expect(packets).toEqual(['1', '2']));
    own.disconnect();
    own.send(Buffer.from('3'), stranger.address().port, '127.0.0.2');
    expect(String((await strange)[0])).toBe('3');
    expect(errors).toBe(0);
  });

  test('a peer whose port is closed costs errors that are counted, and is reached when it is open again', async () => {
    const own = open('127.0.0.1');
    const { port } = peer.address();
    own.connect(port, '127.0.0.1');
    peer.close();
    await once(peer, 'close');
    await vi.waitFor(() => {
      own.send(Buffer.from('is anybody there'), port, '127.0.0.1');
      expect(errors).toBeGreaterThan(1);
    });
    peer = await bound('127.0.0.1', port);
    const packets: Buffer[] = [];
    peer.on('message', (packet) => packets.push(packet));
    await vi.waitFor(() => {
      own.send(Buffer.from('and now'), port, '127.0.0.1');
      expect(packets).not.toEqual([]);
    });
    peer.send('here I am', rtpPort, '127.0.0.1');
    await vi.waitFor(() => expect(heard).toEqual(['here I am']));
  });

  test('bound to every address it is never connected: it would be deaf at all but one', async () => {
    const own = open('0.0.0.0');
    expect(own.connectable).toBe(false);
    own.connect(peer.address().port, '127.0.0.1');
    expect(await knock()).toBe('heard');
    expect(errors).toBe(0);
  });

  test('a peer that cannot be connected to is counted once, and tried no more', async () => {
    const own = open('127.0.0.1');
    own.connect(4000, '::1');
    expect(errors).toBe(1);
    expect(own.connectable).toBe(false);
    own.connect(4000, '::1');
    expect(errors).toBe(1);
    expect(await knock()).toBe('heard');
  });

  test('what a stranger sent before the socket was connected is not taken for the peer', async () => {
    const from: string[] = [];
    clearInterval(polling);
    const own = open('127.0.0.1', (packet, { address, port }) =>
      from.push(`${packet} of ${address} ${port}`),
    );
    stranger.send('before', rtpPort, '127.0.0.1');
    peer.send('before', rtpPort, '127.0.0.1');
    await settled();
    own.connect(peer.address().port, '127.0.0.1');
    peer.send('after', rtpPort, '127.0.0.1');
    polling = setInterval(() => sockets.poll(), 2);
    const ofPeer = `of 127.0.0.1 ${peer.address().port}`;
    const expected = [
      `before of 127.0.0.2 ${stranger.address().port}`,
      `before ${ofPeer}`,
      `after ${ofPeer}`,
    ];
    await vi.waitFor(() => expect(from).toEqual(expected));
    for (let count = 4; count < 10; count++) {
      peer.send('later', rtpPort, '127.0.0.1');
      await vi.waitFor(() => expect(from).toHaveLength(count));
      expect(from.at(-1)).toBe(`later ${ofPeer}`);
    }
  });

  test('a large datagram is whole, an empty one is one, and an answer goes back where it came from', async () => {
    const lengths: number[] = [];
    const own = open('127.0.0.1', (packet, { address, port }) => {
      lengths.push(packet.length);
      own.send(packet, port, address);
    });
    const back: number[] = [];
    peer.on('message', ({ length }) => back.push(length));
    for (const length of [9000, 0, 172]) peer.send(Buffer.alloc(length), rtpPort, '127.0.0.1');
    await vi.waitFor(() => expect(back).toEqual([9000, 0, 172]));
    expect(lengths).toEqual([9000, 0, 172]);
  });

  test('over IPv6 it hears and answers the same, IPv4 in its mapped form too', async () => {
    const own = open('::', (packet, { address, family, port }) => {
      heard.push(`${family} ${address}`);
      own.send(packet, port, address);
    });
    expect(own.family).toBe(6);
    const six = await bound('::1');
    six.send('six', rtpPort, '::1');
    expect(String((await once(six, 'message'))[0])).toBe('six');
    peer.send('four', rtpPort, '127.0.0.1');
    expect(String((await once(peer, 'message'))[0])).toBe('four');
    expect(heard).toEqual(['IPv6 ::1', 'IPv6 ::ffff:127.0.0.1']);
    six.close();
  });

  test('closed it hears nothing, sends nothing and leaves both ports', async () => {
    const own = open('127.0.0.1');
    await new Promise<void>((resolve) => own.close(resolve));
    pair = undefined;
    own.close(() => expect.unreachable());
    own.send(Buffer.from('late'), peer.address().port, '127.0.0.1');
    own.connect(peer.address().port, '127.0.0.1');
    own.disconnect();
    for (const port of [rtpPort, rtpPort + 1]) (await bound('127.0.0.1', port)).close();
    expect(errors).toBe(0);
  });

  test('a pair of which one port is taken is not there, and nothing of it stays', async () => {
    const { port } = peer.address();
    const rtp = port % 2 === 0 ? port : port - 1;
    const events = { onRtp: () => undefined, onRtcp: () => undefined, onError: () => undefined };
    expect(() => new UdpPair(sockets, '127.0.0.1', rtp, events)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    );
    (await bound('127.0.0.1', rtp === port ? rtp + 1 : rtp)).close();
  });
});

test.runIf(kinds.includes('libc'))('a flood at one leg costs another one no turn', async () => {
  sockets = await openSockets('libc', files.buffer);
  const flooded = open('127.0.0.1');
  const port = rtpPort;
  let others = 0;
  const other = open('127.0.0.1', () => others++);
  for (let i = 0; i < 100; i++) stranger.send('flood', port, '127.0.0.1');
  stranger.send('speech', rtpPort, '127.0.0.1');
  await settled();
  sockets.poll();
  expect(others).toBe(1);
  expect(heard.length).toBeLessThan(100);
  expect(heard.length).toBeGreaterThan(0);
  for (const each of [flooded, other]) each.close(() => undefined);
  files.closeAll();
});

test('files that a thread left open are closed, and no others', () => {
  const names = [1, 2, 3].map(() => openSync(import.meta.filename, 'r'));
  const [left = 0, closed = 0, others = 0] = names;
  const own = new OpenFiles();
  own.add(left);
  own.add(closed);
  own.remove(closed);
  new OpenFiles(own.buffer).closeAll();
  expect(() => fstatSync(left)).toThrow(/EBADF/);
  for (const file of [closed, others]) {
    fstatSync(file);
    closeSync(file);
  }
  own.closeAll();
});
