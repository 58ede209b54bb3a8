import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { MessageStream } from './sip-message.ts';

export type SipTransportName = 'udp' | 'tcp' | 'tls';

/** What a phone shows of itself over TLS, and whom it trusts; all PEM texts. Without a certificate it cannot be called. */
export interface PhoneTls {
  ca: string;
  cert?: string | undefined;
  key?: string | undefined;
}

/** The other end of a message: where a request goes, and the way back for an answer. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  send(bytes: Buffer): void;
}

export type ReceiveHandler = (bytes: Buffer, from: Peer) => void;

/** Sockets of the test phone, one UDP socket or a TCP or TLS listener with its connections; knows bytes and nothing of SIP. */
export interface SipTransport {
  readonly name: SipTransportName;
  readonly port: number;
  /** UDP: at once. TCP, TLS: the open connection to there, or a new one. @throws Error when it is refused */
  peer(host: string, port: number): Promise<Peer>;
  close(): Promise<void>;
}

/** Opens the transport on `host`; port 0 takes a free one. @param tls what TLS needs */
export function openTransport(
  name: SipTransportName,
  host: string,
  port: number,
  receive: ReceiveHandler,
  tls?: PhoneTls,
): Promise<SipTransport> {
  if (name === 'udp') return openUdp(host, port, receive);
  if (name === 'tls' && tls === undefined) throw new Error('a phone with TLS needs a CA to trust');
  return openStream(host, port, receive, name === 'tls' ? tls : undefined);
}

async function openUdp(host: string, port: number, receive: ReceiveHandler): Promise<SipTransport> {
  const socket: UdpSocket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  let open = true;
  const peerAt = (toHost: string, toPort: number): Peer => ({
    host: toHost,
    port: toPort,
    send: (bytes) => {
      if (open) socket.send(bytes, toPort, toHost);
    },
  });
  socket.on('message', (bytes, from) => receive(bytes, peerAt(from.address, from.port)));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, resolve);
  });
  return {
    name: 'udp',
    port: socket.address().port,
    peer: (toHost, toPort) => Promise.resolve(peerAt(toHost, toPort)),
    close: () =>
      new Promise((resolve) => {
        if (!open) return resolve();
        open = false;
        socket.close(resolve);
      }),
  };
}

async function openStream(
  host: string,
  port: number,
  receive: ReceiveHandler,
  tls: PhoneTls | undefined,
): Promise<SipTransport> {
  const sockets = new Map<string, Socket>();
  const peers = new WeakMap<Socket, Peer>();
  const adopt = (socket: Socket): Peer => {
    const peer: Peer = {
      host: socket.remoteAddress ?? '',
      port: socket.remotePort ?? 0,
      send: (bytes) => {
        if (socket.writable) socket.write(bytes);
      },
    };
    const key = `${peer.host}:${peer.port}`;
    const stream = new MessageStream();
    sockets.set(key, socket);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      for (const message of stream.push(chunk as Buffer)) receive(message, peer);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(key));
    peers.set(socket, peer);
    return peer;
  };
  const server: Server = tls === undefined ? createServer(adopt) : createTlsServer(tls, adopt);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    name: tls === undefined ? 'tcp' : 'tls',
    port: (server.address() as { port: number }).port,
    peer: async (toHost, toPort) => {
      const open = sockets.get(`${toHost}:${toPort}`);
      if (open) return peers.get(open)!;
      const to = { host: toHost, port: toPort, localAddress: host };
      const socket = tls === undefined ? connect(to) : connectTls({ ...to, ...tls });
      const ready = tls === undefined ? 'connect' : 'secureConnect';
      await new Promise<void>((resolve, reject) => socket.once(ready, resolve).once('error', reject));
      return adopt(socket);
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets.values()) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
