import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import type { InviteFloodOptions } from './invite-flood.ts';

/** Entry of the flooder's thread: sends INVITEs without credentials, and never listens to what it is told. */
const { from, host, port, count, perSecond } = workerData as InviteFloodOptions;
const socket = createSocket('udp4');
let answers = 0;
socket.on('message', () => {
  answers += 1;
});
socket.bind(0, from);
await once(socket, 'listening');
const own = `${from}:${socket.address().port}`;

const invite = (number: number): string =>
  [
    `INVITE sip:sess_00000000000000000000000000@${host}:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP ${own};rport;branch=z9hG4bKflood${number}`,
    'Max-Forwards: 70',
    `From: <sip:flood@${own}>;tag=${number}`,
    `To: <sip:anybody@${host}>`,
    `Call-ID: flood-${number}@${own}`,
    'CSeq: 1 INVITE',
    `Contact: <sip:flood@${own}>`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');

const startedAt = performance.now();
for (let sent = 0; sent < count; ) {
  const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * perSecond));
  for (; sent < due; sent += 1) socket.send(invite(sent), port, host);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
socket.close();
parentPort?.postMessage({ answers });
