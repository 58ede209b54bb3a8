import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { runEngine } from '../../src/sip-engine/engine-process.ts';
import type { TlsSettings } from '../../src/sip-engine/tls-settings.ts';
import type { StreamLimits } from '../../src/sip-engine/transport.ts';
import type { ListenAddress } from '../../src/sip-engine/transport-layer.ts';
import { certificateFile, identity, tlsSettings } from '../support/certificates.ts';
import { closed, EngineSockets, optionsRequest, portOf, read } from '../support/engine-sockets.ts';

const sockets = new EngineSockets();
afterEach(() => sockets.close());

const listen: ListenAddress[] = [{ transport: 'tls', host: '127.0.0.1', port: 0 }];
const engine = (limits: Partial<StreamLimits> = {}, tls: Partial<TlsSettings> = {}) =>
  sockets.engine(listen, limits, tlsSettings(tls));

/** The words of the error that ends a handshake, or what was said after it. */
async function outcome(port: number, options: ConnectionOptions): Promise<string> {
  const socket = sockets.startTls(port, options);
  const failed = once(socket, 'error').then(([error]) => (error as Error).message);
  const answered = ping(socket).then((pong) => (pong === '' ? 'closed' : 'pong'));
  return Promise.race([failed, answered.catch(() => failed)]);
}

async function ping(socket: Socket): Promise<string> {
  socket.write('\r\n\r\n');
  return read(socket, /\r\n/);
}

describe('TLS', () => {
  it('answers on the connection, however the request was split', async () => {
    const running = await engine();
    expect(running.hostports).toEqual([`tls/127.0.0.1:${portOf(running)}`]);
    const socket = await sockets.dialTls(portOf(running));
    const answers = read(socket, /z9hG4bK2[\s\S]*\r\n\r\n/);
    const text =
      optionsRequest('TLS', '127.0.0.1', 'z9hG4bK1') + optionsRequest('TLS', '127.0.0.1', 'z9hG4bK2');
    for (let at = 0; at < text.length; at += 97) socket.write(text.slice(at, at + 97));
    expect((await answers).match(/SIP\/2.0 503/g)).toHaveLength(2);
    expect(running.core.stats).toMatchObject({ connections: 1, newConnections: 0, handshakesFailed: 0 });
  });

  it('answers the keep-alive CRLFCRLF with CRLF', async () => {
    expect(await ping(await sockets.dialTls(portOf(await engine())))).toBe('\r\n');
  });

  it.each([
    ['TLSv1.2', 'TLSv1.2'],
    ['TLSv1.3', 'TLSv1.3'],
  ] as const)('speaks %s', async (version, protocol) => {
    const options = { minVersion: version, maxVersion: version };
    const socket = await sockets.dialTls(portOf(await engine()), options);
    expect(socket.getProtocol()).toBe(protocol);
  });

  it.each([
    ['TLSv1.2', 'TLSv1.1'],
    ['TLSv1.3', 'TLSv1.2'],
  ] as const)('with a least version of %s refuses %s', async (minVersion, maxVersion) => {
    const running = await engine({}, { minVersion });
    // Without this the client itself would not speak so old a version.
    const old = { minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await outcome(portOf(running), old)).toContain('alert protocol version');
    await expect.poll(() => running.core.stats).toMatchObject({ handshakesFailed: 1, connections: 0 });
  });

  it('survives what is no handshake', async () => {
    const running = await engine();
    const socket = await sockets.dial(portOf(running));
    socket.write(optionsRequest('TCP', '127.0.0.1'));
    await closed(socket);
    expect(await ping(await sockets.dialTls(portOf(running)))).toBe('\r\n');
    expect(running.core.stats).toMatchObject({ handshakesFailed: 1, messagesReceived: 0, faults: 0 });
  });

  it('close ends open connections, and those in their handshake', async () => {
    const running = await engine();
    const open = await sockets.dialTls(portOf(running));
    await ping(open);
    const silent = await sockets.dial(portOf(running));
    await expect.poll(() => running.core.stats.newConnections).toBe(1);
    const ended = Promise.all([closed(open), closed(silent)]);
    await running.close();
    await ended;
  });

  it('an address in use is told by its name', async () => {
    const taken: ListenAddress[] = [{ ...listen[0]!, port: portOf(await engine()) }];
    await expect(runEngine({ listen: taken, tls: tlsSettings() })).rejects.toThrow(
      `SIP cannot listen on tls/127.0.0.1:${taken[0]!.port}: the address is in use by another process`,
    );
  });

  it('is not spoken without a certificate', async () => {
    await expect(runEngine({ listen })).rejects.toThrow(
      'SIP cannot listen on tls:127.0.0.1:0 without a certificate',
    );
  });

  it.each([
    [
      'certificate',
      { certificate: '/nowhere/cert.pem' },
      'sip.tls.certificate: /nowhere/cert.pem cannot be read: ENOENT',
    ],
    ['key', { key: '/nowhere/key.pem' }, 'sip.tls.key: /nowhere/key.pem cannot be read: ENOENT'],
    ['key', { key: certificateFile('pbx').replace('.pem', '-key.pem') }, 'pbx-key.pem is not the key of'],
    ['key', { key: import.meta.filename }, 'tls.test.ts is not the key of'],
    ['certificate', { certificate: import.meta.filename }, 'tls.test.ts holds no certificate in PEM form'],
    ['ca', { ca: import.meta.filename }, 'tls.test.ts holds no certificate in PEM form'],
  ])('a %s that cannot be used stops the start, by its name', async (setting, changes, words) => {
    const start = runEngine({ listen, tls: tlsSettings(changes) });
    await expect(start).rejects.toThrow(words);
    await expect(start).rejects.toThrow(`sip.tls.${setting}: `);
  });
});

describe('a flood of TLS connections', () => {
  const both: ListenAddress[] = [...listen, { transport: 'tls', host: '::1', port: 0 }];

  it('of half-open ones from one source keeps no other source out', async () => {
    const running = await sockets.engine(both, { maxHandshakesPerSecond: 10_000 }, tlsSettings());
    const flood = Array.from({ length: 1_000 }, () => sockets.dial(portOf(running)));
    await Promise.all(flood);
    await expect.poll(() => running.core.stats.connectionsRefused, { timeout: 10_000 }).toBe(950);
    const honest = await sockets.dialTls(portOf(running, 1), { host: '::1' });
    expect(await ping(honest)).toBe('\r\n');
    expect(running.core.stats).toMatchObject({ connections: 51, newConnections: 50 });
  });

  it('takes nothing from the same source that it had before', async () => {
    const running = await engine({ maxNewConnectionsPerSource: 3 });
    const honest = await sockets.dialTls(portOf(running));
    await ping(honest);
    for (let count = 0; count < 10; count++) await sockets.dial(portOf(running));
    await expect.poll(() => running.core.stats.connectionsRefused).toBe(7);
    expect(await ping(honest)).toBe('\r\n');
  });

  it('of handshakes from one source is refused beyond its rate, unless the source is known', async () => {
    const running = await engine({ maxHandshakesPerSecond: 0 });
    expect(await outcome(portOf(running), {})).not.toBe('pong');
    expect(running.core.stats).toMatchObject({ connectionsRefused: 1, handshakesFailed: 0 });
    running.core.exemptions.add('127.0.0.1', 60_000);
    expect(await outcome(portOf(running), {})).toBe('pong');
  });

  it('is cut when a handshake takes too long, even while bytes trickle in', async () => {
    const running = await engine({ handshakeMs: 200 });
    const socket = await sockets.dial(portOf(running));
    // The record header of a ClientHello, which then never comes.
    socket.write(Buffer.from([0x16, 3, 1, 2, 0]));
    const trickle = setInterval(() => socket.write(Buffer.from([1])), 20);
    await closed(socket);
    clearInterval(trickle);
    await expect
      .poll(() => running.core.stats)
      .toMatchObject({ connections: 0, connectionsCut: 1, handshakesFailed: 1 });
  });

  it('is cut when nothing is said after the handshake, even while bytes trickle in', async () => {
    const running = await engine({ firstMessageMs: 200, handshakeMs: 10_000 });
    const socket = await sockets.dialTls(portOf(running));
    const trickle = setInterval(() => socket.write('X'), 20);
    await closed(socket);
    clearInterval(trickle);
    await expect
      .poll(() => running.core.stats)
      .toMatchObject({ connections: 0, connectionsCut: 1, handshakesFailed: 0 });
  });
});

describe('client certificates', () => {
  it.each([
    ['off', undefined, 'pong', 0],
    ['off', 'stranger', 'pong', 0],
    ['optional', undefined, 'pong', 0],
    ['optional', 'pbx', 'pong', 0],
    ['optional', 'stranger', 'pong', 1],
    ['optional', 'expired', 'pong', 1],
    ['required', 'pbx', 'pong', 0],
  ] as const)(
    '%s: a client with the certificate %s gets a %s',
    async (clientCertificates, name, said, invalid) => {
      const running = await engine({}, { clientCertificates });
      expect(await outcome(portOf(running), name === undefined ? {} : identity(name))).toBe(said);
      expect(running.core.stats).toMatchObject({ certificatesInvalid: invalid, handshakesFailed: 0 });
    },
  );

  it.each([undefined, 'stranger', 'expired'] as const)(
    'required: a client with the certificate %s is refused',
    async (name) => {
      const running = await engine({}, { clientCertificates: 'required' });
      expect(await outcome(portOf(running), name === undefined ? {} : identity(name))).not.toBe('pong');
      await expect.poll(() => running.core.stats).toMatchObject({ handshakesFailed: 1, connections: 0 });
    },
  );
});
