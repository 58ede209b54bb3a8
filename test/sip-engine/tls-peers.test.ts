import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newStats } from '../../src/sip-engine/stats.ts';
import { systemEngineClock } from '../../src/sip-engine/timers.ts';
import { TlsHandshakes } from '../../src/sip-engine/tls-handshakes.ts';
import { readTlsMaterial } from '../../src/sip-engine/tls-settings.ts';
import { defaultStreamLimits, type Flow, type Hop } from '../../src/sip-engine/transport.ts';
import { type ListenAddress, openTransportLayer } from '../../src/sip-engine/transport-layer.ts';
import { certificateOf, identity, tlsSettings } from '../support/certificates.ts';
import { EngineSockets, optionsRequest } from '../support/engine-sockets.ts';

const sockets = new EngineSockets();
afterEach(() => sockets.close());

const tls: ListenAddress[] = [{ transport: 'tls', host: '127.0.0.1', port: 0 }];

/** The transports of an engine, and the flows that messages came by. */
async function transports(listen = tls, limits: Partial<typeof defaultStreamLimits> = {}) {
  const stats = newStats();
  const flows: Flow[] = [];
  const events = {
    message: (_: unknown, flow: Flow) => void flows.push(flow),
    onWire: () => {},
    unreadable: () => {},
    hears: () => true,
    admits: () => true,
    inUse: () => false,
  };
  const handshakes = new TlsHandshakes(tlsSettings(), await readTlsMaterial(tlsSettings()), stats);
  const options = { listen, streamLimits: { ...defaultStreamLimits, ...limits }, handshakes };
  const layer = await openTransportLayer(options, events, stats, systemEngineClock);
  sockets.onClose(() => layer.close());
  return { layer, stats, flows, port: Number(layer.hostports[0]?.split(':')[1]) };
}

/** Sends what cannot be handed over. */
const failure = (flow: Flow): Promise<Error> =>
  new Promise((resolve) => flow.send(Buffer.from('secret'), resolve));

it.each(['tcp', 'tls'] as const)(
  '%s: a peer sees us come from the address that is listened on',
  async (transport) => {
    const sources: (string | undefined)[] = [];
    const peer = createTcpServer((socket) => {
      sources.push(socket.remoteAddress);
      socket.destroy();
    });
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    sockets.onClose(() => peer.close());
    const { port } = peer.address() as { port: number };
    const { layer } = await transports([{ transport, host: '127.0.0.2', port: 0 }]);
    layer.flowTo({ transport, address: '127.0.0.1', port }).send(Buffer.from('hello'));
    await expect.poll(() => sources).toEqual(['127.0.0.2']);
  },
);

describe('a peer that is called over TLS', () => {
  let received = '';
  const connections: TLSSocket[] = [];
  beforeEach(() => {
    received = '';
    connections.splice(0);
  });

  /** @returns the way to it, by the name of the certificate `pbx` */
  async function peerWith(certificate: Parameters<typeof identity>[0]): Promise<Hop> {
    const options = { ...identity(certificate), ca: certificateOf('ca'), requestCert: true };
    const peer = createServer(options, (socket) => {
      connections.push(socket);
      socket.on('data', (bytes) => {
        received += bytes;
      });
      socket.on('error', () => {});
    });
    peer.on('tlsClientError', () => {});
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    sockets.onClose(() => peer.close());
    const { port } = peer.address() as { port: number };
    return { transport: 'tls', address: '127.0.0.1', port, name: 'pbx.acme.example' };
  }

  it('is told whom we call and who we are, and gets what was said at once', async () => {
    const hop = await peerWith('pbx');
    const { layer, stats } = await transports();
    layer.flowTo(hop).send(Buffer.from('hello'));
    await expect.poll(() => received).toBe('hello');
    const [socket] = connections;
    expect(socket?.servername).toBe('pbx.acme.example');
    expect(socket?.authorized).toBe(true);
    expect(socket?.getPeerX509Certificate()?.checkHost('sip.kallglot.com')).toBeDefined();
    expect(stats).toMatchObject({ connections: 1, newConnections: 0, handshakesFailed: 0 });
  });

  it('by its address has to have that in its certificate', async () => {
    const { name: _, ...numeric } = await peerWith('pbx');
    const { layer } = await transports();
    layer.flowTo(numeric).send(Buffer.from('hello'));
    await expect.poll(() => received).toBe('hello');
    expect(connections[0]?.servername).toBe(false);
  });

  it.each([
    ['another name', 'other', 'pbx.acme.example'],
    ['no address', 'other', undefined],
    ['expired', 'expired', 'pbx.acme.example'],
    ['a CA that nobody trusts', 'stranger', 'pbx.acme.example'],
  ] as const)('gets nothing when its certificate has %s', async (_, certificate, name) => {
    const hop = await peerWith(certificate);
    const { layer, stats } = await transports();
    const flow = layer.flowTo({ ...hop, name });
    expect(await failure(flow)).toBeInstanceOf(Error);
    await expect.poll(() => stats).toMatchObject({ handshakesFailed: 1, connections: 0 });
    expect(received).toBe('');
    expect(flow.open).toBe(false);
  });

  it('is called by the connection that is open, but not under another name', async () => {
    const hop = await peerWith('pbx');
    const { layer } = await transports();
    const flow = layer.flowTo(hop);
    expect(layer.flowTo({ ...hop })).toBe(flow);
    await expect.poll(() => connections.length).toBe(1);
    expect(layer.flowTo({ ...hop })).toBe(flow);
    expect(layer.flowTo({ ...hop, name: 'acme.example' })).not.toBe(flow);
    expect(layer.flowTo({ ...hop, name: undefined })).not.toBe(flow);
  });

  it('that never finishes its handshake is given up', async () => {
    const silent = createTcpServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    sockets.onClose(() => silent.close());
    const { port } = silent.address() as { port: number };
    const { layer, stats } = await transports(tls, { handshakeMs: 100 });
    expect(await failure(layer.flowTo({ transport: 'tls', address: '127.0.0.1', port }))).toBeInstanceOf(
      Error,
    );
    await expect.poll(() => stats).toMatchObject({ connections: 0, connectionsCut: 1, handshakesFailed: 1 });
  });

  it('is not called over another transport where TLS is not listened on', async () => {
    const { layer } = await transports([{ transport: 'udp', host: '127.0.0.1', port: 0 }]);
    const flow = layer.flowTo(await peerWith('pbx'));
    expect(flow).toMatchObject({ transport: 'tls', open: false });
    expect(await failure(flow)).toBeInstanceOf(Error);
  });
});

describe('a peer that came to us over TLS', () => {
  /** Connects with a certificate and says something, as from a PBX that listens on port 5071. */
  async function come(certificate?: Parameters<typeof identity>[0]) {
    const { layer, flows, port } = await transports();
    const socket = await sockets.dialTls(port, certificate === undefined ? {} : identity(certificate));
    socket.write(optionsRequest('TLS', 'pbx.acme.example:5071'));
    await expect.poll(() => flows.length).toBe(1);
    return { layer, flow: flows[0]!, source: socket.localPort! };
  }
  const hop: Hop = { transport: 'tls', address: '127.0.0.1', port: 5071, name: 'pbx.acme.example' };

  it('gets new requests by its connection when it wants so and is who is called', async () => {
    const { layer, flow } = await come('pbx');
    flow.acceptAlias?.(5071);
    expect(layer.flowTo(hop)).toBe(flow);
    expect(layer.flowTo({ ...hop, name: undefined })).toBe(flow);
    expect(layer.flowTo({ ...hop, port: 5072 })).not.toBe(flow);
    expect(layer.flowTo({ ...hop, name: 'pbx.other.example' })).not.toBe(flow);
  });

  it('does not when it did not ask for it', async () => {
    const { layer, flow, source } = await come('pbx');
    expect(layer.flowTo(hop)).not.toBe(flow);
    expect(layer.flowTo({ ...hop, port: source })).not.toBe(flow);
  });

  it.each([undefined, 'stranger', 'expired', 'other'] as const)(
    'does not when its certificate is %s',
    async (certificate) => {
      const { layer, flow } = await come(certificate);
      flow.acceptAlias?.(5071);
      expect(layer.flowTo(hop)).not.toBe(flow);
    },
  );

  it.each([
    ['pbx', ['pbx.acme.example', 'acme.example']],
    ['nameless', ['old.acme.example']],
    [undefined, undefined],
    ['stranger', undefined],
    ['expired', undefined],
  ] as const)('with the certificate %s is known by %j', async (certificate, names) => {
    expect((await come(certificate)).flow.certificate?.names).toEqual(names);
  });
});
