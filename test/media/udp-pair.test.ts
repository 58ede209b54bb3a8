import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OpenFiles } from '../../src/media/open-files.ts';
import { openSockets } from '../../src/media/sockets.ts';
import type { SocketsKind, UdpPair, UdpSockets } from '../../src/media/udp-pair.ts';

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
  const socket = createSocket('udp4');
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}

function open(address: string): UdpPair {
  const events = {
    onRtp: (datagram: Buffer) => heard.push(datagram.toString()),
    onRtcp: (datagram: Buffer) => heard.push(`rtcp ${datagram}`),
    onError: () => {
      errors++;
    },
  };
  for (let tries = 0; ; tries++) {
    rtpPort = 10_000 + 2 * Math.floor(Math.random() * 5000);
    try {
      pair = sockets.open(address, rtpPort, events);
      return pair;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
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

describe.each(kinds)('the sockets of %s', (kind) => {
  beforeEach(async () => {
    sockets = await openSockets(kind, files.buffer);
    expect(sockets.kind).toBe(kind);
    polling = setInterval(() => sockets.poll(), 2);
    heard = [];
    errors = 0;
    peer = await bound('127.0.0.1');
    stranger = await bound('127.0.0.2');
  });

  afterEach(async () => {
    await new Promise<void>((resolve) => (pair ? pair.close(resolve) : resolve()));
    pair = undefined;
    clearInterval(polling);
    files.closeAll();
    peer.close();
    stranger.close();
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
});
