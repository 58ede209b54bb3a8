import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** RTP on an even port, RTCP on the odd one above (RFC 3550 §11). */
export interface PortPair {
  rtp: Socket;
  rtcp: Socket;
  /** The even one. */
  port: number;
}

/** A UDP socket on that address; port 0 takes a free one. @throws Error (EADDRINUSE) when it is taken */
export function bindUdp(host: string, port = 0): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, host, () => resolve(socket));
  });
}

/**
 * A TCP port of loopback that nobody has now, and that the system gives to nobody who asks for any: it could be the end of
 * another test's connection before it is listened on.
 */
export async function freeTcpPort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = randomInt(10_000, 20_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no free port on 127.0.0.1');
}

/** Tries until a pair is free. */
export async function bindPair(host: string): Promise<PortPair> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const rtp = await bindUdp(host);
    const { port } = rtp.address();
    const rtcp = port % 2 === 0 ? await bindUdp(host, port + 1).catch(() => undefined) : undefined;
    if (rtcp) return { rtp, rtcp, port };
    rtp.close();
  }
  throw new Error(`no free pair of ports on ${host}`);
}

export function closePair(pair: PortPair): void {
  pair.rtp.close();
  pair.rtcp.close();
}
