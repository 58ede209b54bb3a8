import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';

/** A peer that sends bytes as they are and notes what comes back; it knows nothing of SIP. */
export interface BytePeer {
  /** As they came: datagrams, or pieces of a stream. */
  readonly received: string[];
  /** Only of a stream: the other side has ended it. */
  readonly ended: boolean;
  send(bytes: Buffer): void;
  close(): void;
}

/**
 * Over UDP it sits at port 5060 of a loopback address that nobody else uses, because an answer to a message whose Via names
 * a host and no port goes there (RFC 3261 §18.2.2); over IPv6, where there is one loopback address only, at any port.
 */
export async function openUdpPeer(host: string, port: number): Promise<BytePeer> {
  const sixth = host === '::1';
  const socket = createSocket(sixth ? 'udp6' : 'udp4');
  const received: string[] = [];
  socket.on('message', (bytes) => received.push(bytes.toString('latin1')));
  if (sixth) socket.bind(0, '::1');
  else socket.bind(5060, anyLoopbackAddress());
  await once(socket, 'listening');
  return {
    received,
    ended: false,
    send: (bytes) => socket.send(bytes, port, host),
    close: () => socket.close(),
  };
}

export async function openTcpPeer(host: string, port: number): Promise<BytePeer> {
  const socket = connect(port, host);
  await once(socket, 'connect');
  const received: string[] = [];
  let ended = false;
  socket.on('data', (bytes) => received.push(bytes.toString('latin1')));
  socket.on('end', () => {
    ended = true;
  });
  socket.on('error', () => {});
  return {
    received,
    get ended() {
      return ended;
    },
    send: (bytes) => void socket.write(bytes),
    close: () => socket.destroy(),
  };
}

/** One of 127.1.0.1 to 127.254.254.254, at random. */
function anyLoopbackAddress(): string {
  const random = (from: number): number => from + Math.floor(Math.random() * (255 - from));
  return `127.${random(1)}.${random(0)}.${random(1)}`;
}

/** The SIP messages in what came. */
export const messagesOf = ({ received }: BytePeer): string[] =>
  received
    .join('')
    .split(/(?=SIP\/2\.0 \d)/)
    .filter((message) => message !== '');
