import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const HOST = '127.0.0.1';
const SOCKETS = 50;
const ROUNDS = 400;
const PACKET_BYTES = 172;

/**
 * What sending one datagram of RTP's size and receiving it costs in Node on this machine, nothing else done with it.
 * Figures of two machines, or of two days, compare by it; 50 of them per second are the floor of a call.
 * @returns CPU time, us
 */
export async function datagramCost(): Promise<number> {
  const sockets = Array.from({ length: SOCKETS }, () => createSocket('udp4'));
  let received = 0;
  for (const socket of sockets) {
    socket.on('message', () => received++);
    // At the end a peer is closed a moment earlier.
    socket.on('error', () => undefined);
    socket.bind(0, HOST);
    await once(socket, 'listening');
  }
  // Two and two: a connected socket hears its peer only.
  sockets.forEach((socket, i) => {
    socket.connect(sockets[i ^ 1]?.address().port as number, HOST);
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const packet = Buffer.alloc(PACKET_BYTES);
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) {
    for (const socket of sockets) socket.send(packet);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  for (const socket of sockets) socket.close();
  return (user + system) / received;
}
