import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { runEngine } from '../../src/sip-engine/engine-process.ts';
import type { ListenAddress } from '../../src/sip-engine/transport-layer.ts';
import { RecorderApp, SECRET } from '../support/engine-harness.ts';
import { closed, EngineSockets, optionsRequest as options, portOf, read } from '../support/engine-sockets.ts';

const sockets = new EngineSockets();
afterEach(() => sockets.close());

async function udp(type: 'udp4' | 'udp6', address: string): Promise<UdpSocket> {
  const socket = createSocket(type);
  let open = true;
  socket.on('close', () => {
    open = false;
  });
  sockets.onClose(() => open && socket.close());
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

describe('UDP', () => {
  it.each([
    ['udp4', '127.0.0.1', '127.0.0.1'],
    ['udp6', '::1', '[::1]'],
  ] as const)('%s: answers to the source', async (type, host, written) => {
    const running = await sockets.engine([{ transport: 'udp', host, port: 0 }]);
    expect(running.hostports).toEqual([`udp/${written}:${portOf(running)}`]);
    const socket = await udp(type, host);
    const answer = once(socket, 'message');
    socket.send(options('UDP', `${written}:9`), portOf(running), host);
    const [bytes] = (await answer) as [Buffer];
    expect(bytes.toString()).toMatch(/^SIP\/2.0 503 /);
    expect(bytes.toString()).toContain(`;rport=${socket.address().port}`);
  });

  it('does not read what a banned source sends', async () => {
    const running = await sockets.engine([{ transport: 'udp', host: '127.0.0.1', port: 0 }]);
    const socket = await udp('udp4', '127.0.0.1');
    running.core.bans.add('127.0.0.1', 60_000);
    for (const text of ['hello', options('UDP', '127.0.0.1:9')])
      socket.send(text, portOf(running), '127.0.0.1');
    await expect.poll(() => running.core.stats.dropsBanned).toBe(2);
    expect(running.core.stats).toMatchObject({ messagesReceived: 0, malformed: 0 });
  });

  it('ignores keep-alives and survives what is not SIP', async () => {
    const running = await sockets.engine([{ transport: 'udp', host: '127.0.0.1', port: 0 }]);
    const socket = await udp('udp4', '127.0.0.1');
    const answer = once(socket, 'message');
    for (const text of ['\r\n\r\n', '\0\0\0\0', 'hello', '\r\n', ''])
      socket.send(text, portOf(running), '127.0.0.1');
    socket.send(options('UDP', '127.0.0.1'), portOf(running), '127.0.0.1');
    await answer;
    expect(running.core.stats).toMatchObject({
      datagramsReceived: 6,
      messagesReceived: 2,
      malformed: 1,
      dropped: 1,
    });
  });

  it('an address in use is told by its name, and what was bound before it is free again', async () => {
    const taken = await udp('udp4', '127.0.0.1');
    const { port } = taken.address();
    const free = await udp('udp4', '127.0.0.1');
    const first = free.address().port;
    await new Promise<void>((resolve) => free.close(() => resolve()));
    const listen: ListenAddress[] = [
      { transport: 'udp', host: '127.0.0.1', port: first },
      { transport: 'udp', host: '127.0.0.1', port },
    ];
    await expect(runEngine({ listen })).rejects.toThrow(
      `SIP cannot listen on udp/127.0.0.1:${port}: the address is in use by another process`,
    );
    await sockets.engine([{ transport: 'udp', host: '127.0.0.1', port: first }]);
  });
});

describe('TCP', () => {
  const listen: ListenAddress[] = [{ transport: 'tcp', host: '127.0.0.1', port: 0 }];

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '[::1]'],
  ])('%s: answers on the connection, however the request was split', async (host, written) => {
    const running = await sockets.engine([{ transport: 'tcp', host, port: 0 }]);
    const socket = await sockets.dial(portOf(running), host);
    const answers = read(socket, /z9hG4bK2[\s\S]*\r\n\r\n/);
    const text = options('TCP', written, 'z9hG4bK1') + options('TCP', written, 'z9hG4bK2');
    for (let at = 0; at < text.length; at += 97) socket.write(text.slice(at, at + 97));
    expect((await answers).match(/SIP\/2.0 503/g)).toHaveLength(2);
  });

  it('answers the keep-alive CRLFCRLF with CRLF', async () => {
    const socket = await sockets.dial(portOf(await sockets.engine(listen)));
    socket.write('\r\n\r\n');
    expect(await read(socket, /\r\n/)).toBe('\r\n');
  });

  it('closes a connection whose messages cannot be found any more, after the answer', async () => {
    const socket = await sockets.dial(portOf(await sockets.engine(listen)));
    socket.write(options('TCP', '127.0.0.1').replace(/Content-Length.*\r\n/, ''));
    expect(await read(socket, /never/)).toMatch(/^SIP\/2.0 400 /);
  });

  it.each([
    ['new', { maxNewConnectionsPerSource: 1 }, ''],
    ['proven', { maxConnectionsPerSource: 1 }, '\r\n\r\n'],
  ])('gives a source no more %s connections than it may have', async (_, limits, said) => {
    const running = await sockets.engine(listen, limits);
    const first = await sockets.dial(portOf(running));
    if (said !== '') {
      first.write(said);
      await read(first, /\r\n/);
    }
    const second = await sockets.dial(portOf(running));
    second.write(said);
    await closed(second);
    first.write('\r\n\r\n');
    expect(await read(first, /\r\n/)).toBe('\r\n');
    expect(running.core.stats).toMatchObject({ connections: 1, newConnections: 0, connectionsRefused: 1 });
  });

  it('a source whose connections are silent keeps nobody else out', async () => {
    const both: ListenAddress[] = [...listen, { transport: 'tcp', host: '::1', port: 0 }];
    const running = await sockets.engine(both, { maxNewConnections: 5 });
    for (let count = 0; count < 20; count++) await sockets.dial(portOf(running));
    const honest = await sockets.dial(portOf(running, 1), '::1');
    honest.write(options('TCP', '[::1]'));
    expect(await read(honest, /\r\n\r\n/)).toMatch(/^SIP\/2.0 503 /);
    await expect
      .poll(() => running.core.stats)
      .toMatchObject({ connections: 5, newConnections: 4, connectionsCut: 16, connectionsRefused: 0 });
  });

  it('tells at once of a request whose connection was reset, and not of one whose connection was closed', async () => {
    const running = await sockets.engine(listen);
    const app = new RecorderApp(running.core);
    app.ask(`authenticate|${SECRET}|`);
    for (const ending of ['end', 'resetAndDestroy'] as const) {
      const peer = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket[ending]());
      }).listen(0, '127.0.0.1');
      sockets.onClose(() => peer.close());
      await once(peer, 'listening');
      const { port } = peer.address() as AddressInfo;
      const uri = `sip:127.0.0.1:${port};transport=tcp`;
      app.ask(`sip||\r\nOPTIONS ${uri} SIP/2.0\r\nTo: <${uri};${ending}>\r\n\r\n`);
    }
    await expect.poll(() => app.events.length).toBe(1);
    expect(app.lastEvent.sip).toMatch(/^SIP\/2\.0 503 .*;resetAndDestroy>/s);
  });

  it('closes a connection of a banned source', async () => {
    const running = await sockets.engine(listen);
    running.core.bans.add('127.0.0.1', 60_000);
    await closed(await sockets.dial(portOf(running)));
    expect(running.core.stats.connectionsRefused).toBe(1);
  });

  it('cuts a connection whose source has been banned since, without reading it', async () => {
    const running = await sockets.engine(listen);
    const socket = await sockets.dial(portOf(running));
    running.core.bans.add('127.0.0.1', 60_000);
    socket.write(options('TCP', '127.0.0.1'));
    expect(await read(socket, /never/)).toBe('');
    expect(running.core.stats).toMatchObject({ messagesReceived: 0, dropsBanned: 1 });
  });

  it('cuts a connection that never completes its first message, even while bytes trickle in', async () => {
    const running = await sockets.engine(listen, { firstMessageMs: 200, idleMs: 60_000 });
    const socket = await sockets.dial(portOf(running));
    const trickle = setInterval(() => socket.write('X'), 20);
    await closed(socket);
    clearInterval(trickle);
    await expect.poll(() => running.core.stats).toMatchObject({ connections: 0, connectionsCut: 1 });
  });

  it('cuts a connection that never completes a later message', async () => {
    const running = await sockets.engine(listen, { messageMs: 200, idleMs: 60_000, firstMessageMs: 60_000 });
    const socket = await sockets.dial(portOf(running));
    socket.write('\r\n\r\n');
    await read(socket, /\r\n/);
    const trickle = setInterval(() => socket.write('X'), 20);
    await closed(socket);
    clearInterval(trickle);
    await expect.poll(() => running.core.stats).toMatchObject({ connections: 0, connectionsCut: 1 });
  });

  it('cuts an idle connection', async () => {
    const running = await sockets.engine(listen, { idleMs: 100 });
    const socket = await sockets.dial(portOf(running));
    socket.write('\r\n\r\n');
    expect(await read(socket, /never/)).toBe('\r\n');
    await expect.poll(() => running.core.stats.connectionsCut).toBe(1);
  });

  it('an address in use is told by its name', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    sockets.onClose(() => server.close());
    const { port } = server.address() as { port: number };
    await expect(runEngine({ listen: [{ transport: 'tcp', host: '127.0.0.1', port }] })).rejects.toThrow(
      `SIP cannot listen on tcp/127.0.0.1:${port}: the address is in use by another process`,
    );
  });

  it('close ends open connections', async () => {
    const running = await sockets.engine(listen);
    const socket = await sockets.dial(portOf(running));
    socket.write('\r\n\r\n');
    await read(socket, /\r\n/);
    const ended = closed(socket);
    await running.close();
    await ended;
  });
});
