import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { mulawToLinear } from '../../src/audio/g711.ts';
import type { DialectName } from '../../src/config/pipeline.ts';
import type { Role } from '../../src/roles.ts';
import { translations } from './sounds.ts';

/**
 * A pipeline that speaks one dialect (the argument), a process of its own: what a party says comes back at once as its
 * translation, a sound of the same length. Its first message is where it listens.
 */
const dialect = process.argv[2] as DialectName;
const paths: Record<DialectName, string> = {
  kallglot: '/v1/sessions/{session_id}/connect?token={token}',
  openai: '/v1/realtime/translations',
  twilio: '/bot',
};

// biome-ignore lint/suspicious/noExplicitAny: messages of three dialects
type Message = any;

/** Base64 of so many bytes of a party's translation, made once. */
const sounds = new Map<string, string>();
function soundOf(role: Role, bytes: number): string {
  const name = `${role} ${bytes}`;
  const known = sounds.get(name) ?? makeSound(role, bytes).toString('base64');
  sounds.set(name, known);
  return known;
}
function makeSound(role: Role, bytes: number): Buffer {
  if (dialect !== 'openai') return Buffer.alloc(bytes, translations[role]);
  const [sample = 0] = mulawToLinear(Uint8Array.of(translations[role]));
  return Buffer.from(new Int16Array(bytes / 2).fill(sample).buffer);
}

function kallglot(socket: WebSocket): (message: Message) => void {
  socket.send('{"type":"session.ready"}');
  return ({ type, speaker, sequence, audio }) => {
    if (type === 'ping') socket.send('{"type":"pong"}');
    if (type === 'session.end') socket.send('{"type":"session.ended","reason":"explicit_end"}');
    if (type !== 'audio.input') return;
    const payload = soundOf(speaker, Buffer.byteLength(audio.payload, 'base64'));
    socket.send(
      `{"type":"audio.output","sequence":${sequence},"speaker":"${speaker}","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"${payload}"}}`,
    );
  };
}

/** What is to be German was said by the customer. */
function openai(socket: WebSocket): (message: Message) => void {
  let role: Role = 'customer';
  return ({ type, session, audio }) => {
    if (type === 'session.update') {
      if (session.audio.output.language !== 'de') role = 'agent';
      socket.send('{"type":"session.updated","event_id":"e","session":{}}');
    }
    if (type === 'session.close') socket.send('{"type":"session.closed","event_id":"e"}');
    if (type !== 'session.input_audio_buffer.append') return;
    const delta = soundOf(role, Buffer.byteLength(audio, 'base64'));
    socket.send(`{"type":"session.output_audio.delta","event_id":"e","delta":"${delta}"}`);
  };
}

/** The streams that are open, by session and role. */
const streams = new Map<string, { socket: WebSocket; sid: string }>();
/** What one party says is answered on the other's stream. */
function twilio(socket: WebSocket): (message: Message) => void {
  let [session, role]: [string, Role] = ['', 'customer'];
  return ({ event, start, streamSid, media }) => {
    if (event === 'start') {
      ({ session_id: session, role } = start.customParameters);
      streams.set(`${session} ${role}`, { socket, sid: streamSid });
    }
    if (event === 'stop') streams.delete(`${session} ${role}`);
    if (event !== 'media') return;
    const other = streams.get(`${session} ${role === 'customer' ? 'agent' : 'customer'}`);
    const payload = soundOf(role, Buffer.byteLength(media.payload, 'base64'));
    other?.socket.send(`{"event":"media","streamSid":"${other.sid}","media":{"payload":"${payload}"}}`);
  };
}

const server = new WebSocketServer({
  ...{ host: '127.0.0.1', port: 0, perMessageDeflate: false, skipUTF8Validation: true },
});
server.on('connection', (socket) => {
  const hear = { kallglot, openai, twilio }[dialect](socket);
  socket.on('error', () => socket.terminate());
  socket.on('message', (data) => hear(JSON.parse((data as Buffer).toString())));
});
server.on('listening', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ url: `ws://127.0.0.1:${port}${paths[dialect]}` });
});
process.on('disconnect', () => process.exit(0));
