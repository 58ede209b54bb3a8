import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type EngineAddress, EngineLink } from '../../src/sip/engine-link.ts';
import type { SipHandlers } from '../../src/sip/srf-port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { certificateOf, identity } from '../support/certificates.ts';
import { DrachtioPeer } from '../support/drachtio-peer.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A drachtio-server of few words: it accepts, and the test looks at who came. */
async function openServer({ secret = 'cymru', tls = false, port = 0 } = {}) {
  const sockets: Socket[] = [];
  const peers: DrachtioPeer[] = [];
  const cameAt: number[] = [];
  const accept = (socket: Socket) => {
    sockets.push(socket);
    cameAt.push(performance.now());
    peers.push(new DrachtioPeer(socket, secret));
  };
  const server: Server = tls ? createTlsServer(identity('server'), accept) : createServer(accept);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  closing.push(close);
  return { peers, sockets, cameAt, close, port: (server.address() as AddressInfo).port };
}

const refused = { refusedInDialog: () => undefined, refusedUnread: () => undefined };

function linkTo(address: Partial<EngineAddress> & { port: number }, handlers: Partial<SipHandlers> = {}) {
  const events: string[] = [];
  const warnings: string[] = [];
  const warn = ({ reason }: { reason: string }) => void warnings.push(reason);
  const told: unknown[][] = [];
  const info = (...line: unknown[]) => void told.push(line);
  const source = {
    name: 'test',
    limited: true,
    locate: async () => ({ host: '127.0.0.1', secret: 'cymru', ...address }),
    close: async () => undefined,
  };
  const link = new EngineLink(source, {
    handlers: () => ({ invite: async () => undefined, ...refused, ...handlers }),
    log: Object.assign(createLog('silent'), { warn, info }),
    onUp: () => events.push('up'),
    onLost: () => events.push('lost'),
  });
  closing.push(() => link.close());
  return { link, events, warnings, told };
}

const routesOf = ({ frames }: DrachtioPeer) =>
  frames.filter(({ type }) => type === 'route').map(({ tokens }) => tokens[0]);

describe('the link to a drachtio-server', () => {
  test('asks for each method once, with its tags, and for each once again after a loss', async () => {
    const server = await openServer();
    const address = { port: server.port, tags: ['gateway-1', 'blue'] };
    const { link, events } = linkTo(address, { options: async () => undefined });
    await link.start();
    const [outside, inside] = ['203.0.113.7:5070', '127.0.0.1:5070'];
    expect(link.hostports).toEqual([`tcp/${outside}`, `udp/${outside}`, `tcp/${inside}`, `udp/${inside}`]);
    await vi.waitFor(() => expect(routesOf(server.peers[0]!)).toEqual(['invite', 'options']));
    expect(server.peers[0]?.frames[0]).toMatchObject({
      type: 'authenticate',
      tokens: ['cymru', 'gateway-1,blue'],
    });
    server.sockets[0]?.destroy();
    await vi.waitFor(() => expect(events).toEqual(['up', 'lost', 'up']), 5000);
    await vi.waitFor(() => expect(routesOf(server.peers[1]!)).toEqual(['invite', 'options']));
  });

  test('comes back over TLS where it was over TLS, after a pause', async () => {
    const server = await openServer({ tls: true });
    const tls = { ca: certificateOf('ca'), servername: 'localhost' };
    const { link, events } = linkTo({ port: server.port, tls });
    await link.start();
    const lostAt = performance.now();
    server.sockets[0]?.destroy();
    await vi.waitFor(() => expect(events).toEqual(['up', 'lost', 'up']), 5000);
    expect(server.cameAt[1]).toBeGreaterThan(lostAt + 900);
  });

  test('does not trust a certificate for another name', async () => {
    const server = await openServer({ tls: true });
    const tls = { ca: certificateOf('ca'), servername: 'drachtio.example.net' };
    const { link, events, warnings } = linkTo({ port: server.port, tls });
    const refused = expect(link.start()).rejects.toThrow('closed while');
    await vi.waitFor(() => expect(warnings).toEqual([expect.stringContaining('does not match')]));
    await link.close();
    await refused;
    expect([events, server.peers.flatMap(({ frames }) => frames)]).toEqual([[], []]);
  });

  test('says at the start that its secret is refused', async () => {
    const server = await openServer({ secret: 'another' });
    const { link } = linkTo({ port: server.port });
    await expect(link.start()).rejects.toThrow('the SIP engine test: it refuses our secret');
    expect(server.sockets).toHaveLength(1);
  });

  test('waits at the start for a server that comes later', async () => {
    const { port, close } = await openServer();
    await close();
    const { link, events } = linkTo({ port });
    const started = link.start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await openServer({ port });
    await started;
    expect(events).toEqual(['up']);
  });

  test('refuses a message that drachtio-srf cannot read, and tells who, of whom and how long, and no more of it', async () => {
    const printed = vi.spyOn(console, 'error').mockReturnValue(undefined);
    closing.push(() => printed.mockRestore());
    const server = await openServer();
    const refusals: unknown[] = [];
    const refusedUnread = (refusal: unknown) => void refusals.push(refusal);
    const { link, told } = linkTo({ port: server.port }, { refusedUnread });
    await link.start();
    const peer = server.peers[0]!;
    const secret = 'Authorization: Digest username="b", response="0123"\r\nNot a header: x\r\n\r\n';
    const sip = `REGISTER sip:+4930123456@127.0.0.1 SIP/2.0\r\n${secret}`;
    peer.deliver({ transaction: 't1', sip });
    peer.deliver({
      transaction: 't2',
      dialog: 'gone;from-tag=1',
      sip: 'BYE sip:a@127.0.0.1 SIP/2.0\r\nCall-ID: gone\r\nFrom: <sip:b@x>;tag=1\r\nTo: <sip:a@x>;tag=2\r\nCSeq: 2 BYE\r\n\r\n',
    });
    await peer.answerTo('t1', 400);
    await peer.answerTo('t2', 481);
    expect(link.connection?.isUp).toBe(true);
    expect(printed.mock.calls).toEqual([]);
    const who = { method: 'REGISTER', source: '127.0.0.1:5090', call_id: '' };
    const what = { called: 'sip:+4930123456@127.0.0.1', detail: `${sip.length} characters` };
    expect(refusals).toEqual([{ code: 'bad_request', status: 400, ...who, ...what }]);
    expect(told).toEqual([]);
  });
});
