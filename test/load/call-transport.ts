import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type CallTransportName = 'udp' | 'tcp' | 'tls';

/** How a call generator sends SIP text and gets it, in whole messages. Text is latin1. */
export interface CallTransport {
  readonly name: CallTransportName;
  /** `host:port` for Via and Contact of the calls of a lane. */
  sentBy(lane: number): string;
  /** A lane is a socket or connection; which one a call uses is its number modulo their count. */
  send(text: string, lane: number): void;
  close(): void;
}

/** Connections that the calls share, as a PBX has a few. */
const LANES = 8;
const HOST = '127.0.0.1';

export async function openCallTransport(
  name: CallTransportName,
  target: { host: string; port: number },
  received: (text: string, lane: number) => void,
): Promise<CallTransport> {
  return name === 'udp' ? openUdp(target, received) : openStreams(name, target, received);
}

async function openUdp(
  { host, port }: { host: string; port: number },
  received: (text: string, lane: number) => void,
): Promise<CallTransport> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  socket.on('message', (bytes) => received(bytes.toString('latin1'), 0));
  socket.bind(0, HOST);
  await once(socket, 'listening');
  socket.connect(port, host);
  await once(socket, 'connect');
  const own = `${HOST}:${socket.address().port}`;
  return {
    name: 'udp',
    sentBy: () => own,
    send: (text) => socket.send(Buffer.from(text, 'latin1')),
    close: () => socket.close(),
  };
}

async function openStreams(
  name: 'tcp' | 'tls',
  target: { host: string; port: number },
  received: (text: string, lane: number) => void,
): Promise<CallTransport> {
  const sockets: Socket[] = [];
  for (let lane = 0; lane < LANES; lane++) {
    const socket =
      name === 'tcp'
        ? connect({ ...target, noDelay: true })
        : connectTls({ ...target, rejectUnauthorized: false });
    await once(socket, name === 'tcp' ? 'connect' : 'secureConnect');
    socket.setNoDelay(true);
    socket.on(
      'data',
      inMessages((text) => received(text, lane)),
    );
    sockets.push(socket);
  }
  return {
    name,
    sentBy: (lane) => `${HOST}:${sockets[lane % LANES]!.localPort}`,
    send: (text, lane) => void sockets[lane % LANES]!.write(text, 'latin1'),
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Cuts a stream into messages by their Content-Length. */
function inMessages(received: (text: string) => void): (bytes: Buffer) => void {
  let pending = '';
  return (bytes) => {
    pending += bytes.toString('latin1');
    for (;;) {
      const blank = pending.indexOf('\r\n\r\n');
      if (blank < 0) return;
      const at = pending.indexOf('\r\nContent-Length: ');
      const length = at < 0 || at > blank ? 0 : Number.parseInt(pending.slice(at + 18, at + 26), 10);
      const end = blank + 4 + length;
      if (pending.length < end) return;
      received(pending.slice(0, end));
      pending = pending.slice(end);
    }
  };
}
