import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Connection } from '../../src/pipeline/connection.ts';
import { certificateOf, identity } from '../support/certificates.ts';

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(how: { tls?: boolean; bad?: string }) {
  const { promise, resolve } = Promise.withResolvers<WebSocket>();
  const server = how.tls ? createHttps(identity('server')) : createHttp();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: true });
  const requests: { url: string | undefined; headers: Record<string, unknown> }[] = [];
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    requests.push({ url: request.url, headers: request.headers });
    if (how.bad !== undefined) socket.write(how.bad);
    else sockets.handleUpgrade(request, socket, head, resolve);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const one of sockets.clients) one.terminate();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, requests, peer: promise };
}

/** A connection, and what it has told. */
function connect(url: string) {
  const told: string[] = [];
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ detail: string; status: number | undefined }>();
  const connection = new Connection(
    { url, headers: { 'X-Test': 'yes' } },
    {
      onOpen: () => opened.resolve(),
      onText: (frame) => told.push(frame.toString()),
      onBinary: () => told.push('(binary)'),
      onPong: () => told.push('(pong)'),
      onClosed: (detail, status) => closed.resolve({ detail, status }),
    },
  );
  closers.push(() => connection.terminate());
  return { connection, told, opened: opened.promise, closed: closed.promise };
}

const echo = (peer: WebSocket) =>
  peer.on('message', (data, isBinary) => peer.send(data, { binary: isBinary }));
const texts = [5, 100, 1250, 70_000, 900_000].map((length) =>
  `${length} ü `.repeat(length / 5).slice(0, length),
);

describe.each([{ tls: false }, { tls: true }])('a connection to a server, TLS: $tls', ({ tls }) => {
  async function open() {
    const trusted = getCACertificates('default');
    setDefaultCACertificates([...trusted, certificateOf('ca')]);
    closers.push(() => setDefaultCACertificates(trusted));
    const server = await serve({ tls });
    // The certificate is for this name.
    const ours = connect(`${tls ? 'wss://localhost' : 'ws://127.0.0.1'}:${server.port}/a/b?token=t`);
    const peer = await Promise.race([server.peer, ours.closed]);
    if ('detail' in peer) throw new Error(peer.detail);
    await ours.opened;
    return { ...ours, peer, requests: server.requests };
  }

  test('asks for what it is told to', async () => {
    const { requests } = await open();
    expect(requests).toMatchObject([
      { url: '/a/b?token=t', headers: { 'x-test': 'yes', 'user-agent': 'kallglot-sip-gateway' } },
    ]);
  });

  test('brings texts of any length there and back, unchanged and in order', async () => {
    const { connection, peer, told } = await open();
    echo(peer);
    for (let round = 0; round < 3; round++) {
      const from = told.length;
      for (const text of texts.slice(0, round === 0 ? 5 : 4)) connection.send(text);
      await expect.poll(() => told.length - from, { timeout: 10_000 }).toBe(round === 0 ? 5 : 4);
    }
    expect(told.join() === [...texts, ...texts.slice(0, 4), ...texts.slice(0, 4)].join()).toBe(true);
    expect(connection.bufferedBytes).toBe(0);
  });

  test('understands messages in parts, binary ones, pings and pongs', async () => {
    const { connection, peer, told } = await open();
    const ponged = once(peer, 'pong');
    peer.send('first ', { fin: false });
    peer.ping('are you there');
    peer.send('and second', { fin: true });
    peer.send(Buffer.from('x'));
    expect((await ponged)[0].toString()).toBe('are you there');
    connection.ping();
    await expect.poll(() => told, { timeout: 10_000 }).toEqual(['first and second', '(binary)', '(pong)']);
  });

  test('takes no pong for an answer that it has not asked for', async () => {
    const { connection, peer, told } = await open();
    echo(peer);
    peer.pong();
    connection.send('asked');
    await expect.poll(() => told, { timeout: 10_000 }).toEqual(['asked']);
    connection.ping();
    await expect.poll(() => told, { timeout: 10_000 }).toEqual(['asked', '(pong)']);
    peer.pong();
    connection.send('and again');
    await expect.poll(() => told, { timeout: 10_000 }).toEqual(['asked', '(pong)', 'and again']);
  });

  test('is not read on and on while there are others to be read', async () => {
    const { peer, told } = await open();
    for (let i = 0; i < 40_000; i++) peer.send('x'.repeat(98));
    let most = 0;
    while (told.length < 40_000) {
      const before = told.length;
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, told.length - before);
    }
    // What the kernel holds of it is a hundred times as much.
    expect(most).toBeLessThanOrEqual(1400);
  });

  test('is closed by us in good order', async () => {
    const { connection, peer, closed } = await open();
    const heard = once(peer, 'close');
    connection.send('last words');
    connection.close();
    connection.send('too late');
    expect((await heard)[0]).toBe(1000);
    expect(await closed).toEqual({ detail: 'closed with 1000', status: undefined });
  });

  test('is closed by the server in good order', async () => {
    const { peer, closed } = await open();
    const heard = once(peer, 'close');
    peer.close(4001, 'go away');
    expect((await heard)[0]).toBe(4001);
    expect(await closed).toEqual({ detail: 'closed with 4001 go away', status: undefined });
  });

  test('tells a server that says too much, and says so', async () => {
    const { peer, closed } = await open();
    const heard = once(peer, 'close');
    peer.send('x'.repeat(1024 * 1024 + 1));
    expect((await heard)[0]).toBe(1009);
    expect(await closed).toEqual({ detail: 'Max payload size exceeded', status: undefined });
  });

  test.each(['us', 'the server'])('is dropped by %s', async (who) => {
    const { connection, peer, closed } = await open();
    if (who === 'us') connection.terminate();
    else peer.terminate();
    expect(await closed).toEqual({ detail: 'closed with 1006', status: undefined });
  });
});

test('a certificate that nobody vouches for is refused', async () => {
  const { port } = await serve({ tls: true });
  expect((await connect(`wss://localhost:${port}/`).closed).detail).toContain('certificate');
});

test.each([
  ['another status', 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n', '503', 503],
  [
    'an answer to somebody else',
    'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n',
    'Sec-WebSocket-Accept',
    undefined,
  ],
  [
    'an upgrade to something else',
    'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    'Upgrade',
    undefined,
  ],
  ['what is not HTTP', 'hello?\r\n\r\n', '', undefined],
])('%s is no WebSocket', async (_what, bad, detail, status) => {
  const { port } = await serve({ bad });
  const closed = await connect(`ws://127.0.0.1:${port}/`).closed;
  expect(closed).toEqual({ detail: expect.stringContaining(detail), status });
});

test('one that is given up before it is there says that it is closed', async () => {
  const { port } = await serve({});
  const { connection, closed } = connect(`ws://127.0.0.1:${port}/`);
  connection.close();
  expect((await closed).detail).not.toBe('');
});

test('an address of something else is refused at once', () => {
  expect(() => connect('ftp://127.0.0.1/')).toThrow('not an address of a WebSocket');
});
