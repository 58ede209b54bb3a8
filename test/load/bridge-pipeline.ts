import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Role } from '../../src/roles.ts';
import { translations } from './sounds.ts';
import { wordsOf } from './speech-received.ts';

/**
 * A pipeline that is killed and started again, a process of its own: what a party says comes back at once as its
 * translation, a sound of the same length. Arguments: the port, the file to which every message of speech is added before
 * it is answered, and which of the processes it is. It listens when it is told to; its first message says that it could.
 */
const [port, file = '', generation] = process.argv.slice(2).map((text, i) => (i === 1 ? text : Number(text)));
// Written at once, not kept here: what a process has taken is known after it was killed.
const record = openSync(String(file), 'a');

const http = createServer((_request, response) => response.writeHead(426).end());
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false, skipUTF8Validation: true });
sockets.on('connection', (socket, request) => {
  const session = /^\/v1\/sessions\/([^/]+)\/connect/.exec(request.url ?? '')?.[1] ?? '';
  socket.on('error', () => socket.terminate());
  socket.on('message', (data) => answer(socket, session, JSON.parse((data as Buffer).toString())));
  socket.send('{"type":"session.ready"}');
});
process.once('message', () => {
  http.listen(port as number, '127.0.0.1', () => process.send?.({ at: Date.now() }));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

interface Input {
  type: string;
  speaker: Role;
  sequence: number;
  audio: { payload: string };
}

function answer(socket: WebSocket, session: string, { type, speaker, sequence, audio }: Input): void {
  if (type === 'ping') socket.send('{"type":"pong"}');
  if (type === 'session.end') {
    socket.send('{"type":"session.ended","reason":"explicit_end"}');
    socket.close(1000);
  }
  if (type !== 'audio.input') return;
  writeSync(record, wordsOf({ session, speaker, sequence, generation: generation as number }));
  const payload = translated(speaker, Buffer.byteLength(audio.payload, 'base64'));
  socket.send(
    `{"type":"audio.output","sequence":${sequence},"speaker":"${speaker}","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"${payload}"}}`,
  );
}

function translated(speaker: Role, bytes: number): string {
  return Buffer.alloc(bytes, translations[speaker]).toString('base64');
}
