import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { boundConnections } from '../../src/api/bound-connections.ts';

/** Real connections on loopback to a server with four places. */
const PLACES = 4;
let server: Server;
let cut: number;
let arrived: number;
let waiting: ServerResponse[];
const clients: Socket[] = [];

beforeEach(async () => {
  cut = 0;
  arrived = 0;
  waiting = [];
  server = createServer((_request, response) => waiting.push(response));
  boundConnections(server, () => cut++, PLACES);
  server.on('connection', () => arrived++);
  server.on('upgrade', (_request, socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  server.closeAllConnections();
  server.close();
});

interface Client {
  socket: Socket;
  isClosed: boolean;
  answer: string;
}

async function open(localAddress = '127.0.0.1', text = ''): Promise<Client> {
  const before = arrived;
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress });
  clients.push(socket);
  const client: Client = { socket, isClosed: false, answer: '' };
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    client.answer += data;
  });
  socket.on('close', () => {
    client.isClosed = true;
  });
  await once(socket, 'connect');
  if (text !== '') socket.write(text);
  await vi.waitFor(() => expect(arrived).toBeGreaterThan(before));
  return client;
}

const accepted = (): Promise<number> =>
  new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

const request = 'GET / HTTP/1.1\r\nHost: gateway\r\n\r\n';

test('who holds most connections loses one without a request to the next who comes', async () => {
  const other = await open('127.0.0.9');
  const busy = await open('127.0.0.1', request);
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  const [idle, later] = [await open(), await open()];
  const newcomer = await open('127.0.0.8');
  await vi.waitFor(() => expect(idle.isClosed).toBe(true));
  expect([other, busy, later, newcomer].some(({ isClosed }) => isClosed)).toBe(false);
  expect(cut).toBe(1);
  waiting[0]?.end('done');
  await vi.waitFor(() => expect(busy.answer).toContain('done'));
});

test('while all of them wait for answers nobody else comes in, and an answer makes room', async () => {
  const busy: Client[] = [];
  while (busy.length < PLACES) busy.push(await open('127.0.0.1', request));
  await vi.waitFor(() => expect(waiting).toHaveLength(PLACES));
  const newcomer = await open('127.0.0.8');
  await vi.waitFor(() => expect(newcomer.isClosed).toBe(true));
  for (const response of waiting) response.end('done');
  await vi.waitFor(() => expect(busy.every(({ answer }) => answer.includes('done'))).toBe(true));
  const next = await open('127.0.0.8', request);
  await vi.waitFor(() => expect(waiting).toHaveLength(PLACES + 1));
  expect(next.isClosed).toBe(false);
  expect(busy.filter(({ isClosed }) => isClosed)).toHaveLength(1);
  expect(cut).toBe(2);
});

test('a connection that is closed gives its place back, and one that becomes a WebSocket takes none', async () => {
  const upgrade = request.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const sockets = [await open('127.0.0.1', upgrade), await open('127.0.0.1', upgrade)];
  await vi.waitFor(() => expect(sockets.every(({ answer }) => answer.startsWith('HTTP/1.1 101'))).toBe(true));
  for (let i = 0; i < PLACES; i++) {
    const { socket } = await open();
    socket.destroy();
    await vi.waitFor(async () => expect(await accepted()).toBe(sockets.length));
  }
  const all: Client[] = [];
  while (all.length < PLACES) all.push(await open());
  expect([...sockets, ...all].some(({ isClosed }) => isClosed)).toBe(false);
  expect(cut).toBe(0);
});
