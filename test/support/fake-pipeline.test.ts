import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FakePipeline } from './fake-pipeline.ts';

let pipeline: FakePipeline;
beforeEach(async () => {
  pipeline = await FakePipeline.start();
});
afterEach(() => pipeline.close());

interface Client {
  socket: WebSocket;
  /** Texts as they come; binary frames as `<n bytes>`. */
  received: string[];
  ended: Promise<string>;
}

function connect(): Client {
  const url = pipeline.url.replace('{session_id}', 'sess_A').replace('{token}', 'a.b');
  const socket = new WebSocket(url, { headers: { 'X-Kallglot-Mode': 'ai_agent' } });
  const received: string[] = [];
  socket.on('message', (data, isBinary) =>
    received.push(isBinary ? `<${(data as Buffer).length} bytes>` : data.toString()),
  );
  const ended = new Promise<string>((resolve) => {
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', (code) => resolve(`${code}`));
  });
  return { socket, received, ended };
}

const patience = { timeout: 10_000, interval: 5 };
const ready = '{"type":"session.ready"}';

test('gets ready at once, keeps who came, and answers as the contract has it', async () => {
  const { socket, received, ended } = connect();
  const peer = await pipeline.connection();
  expect(peer.headers['x-kallglot-mode']).toBe('ai_agent');
  expect(peer.target).toBe('/v1/sessions/sess_A/connect?token=a.b');
  expect(peer.token).toBe('a.b');
  await expect.poll(() => received, patience).toEqual([ready]);
  socket.send('{"type":"ping"}');
  socket.send('{"type":"session.end"}');
  expect(await ended).toBe('1000');
  expect(received.slice(1)).toEqual(['{"type":"pong"}', '{"type":"session.ended","reason":"explicit_end"}']);
  expect(peer.messages).toEqual([{ type: 'ping' }, { type: 'session.end' }]);
  expect(await peer.closed).toBe(1000);
});

test('keeps the audio of each speaker in order', async () => {
  const { socket } = connect();
  const peer = await pipeline.connection();
  const say = (speaker: string, sequence: number, text: string) =>
    socket.send(
      JSON.stringify({
        type: 'audio.input',
        sequence,
        timestamp_ms: 5,
        speaker,
        audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: Buffer.from(text).toString('base64') },
      }),
    );
  await expect.poll(() => socket.readyState, patience).toBe(WebSocket.OPEN);
  say('agent', 1, 'one');
  say('customer', 1, 'other');
  say('agent', 2, 'two');
  await peer.until(() => peer.chunks('agent').length === 2);
  expect(peer.audio('agent').toString()).toBe('onetwo');
  expect(peer.audio('customer').toString()).toBe('other');
  expect(peer.chunks('agent')[1]).toEqual({ sequence: 2, timestampMs: 5, audio: Buffer.from('two') });
  expect(peer.audio('nobody').length).toBe(0);
});

test('says audio, whole, in fragments and in binary', async () => {
  const { received } = connect();
  const peer = await pipeline.connection();
  peer.say('agent', Buffer.from([1, 2, 3]));
  peer.sendFragmented('{"type":"long"}', 4);
  peer.sendBinary(Buffer.alloc(5));
  await expect.poll(() => received.length, patience).toBe(4);
  expect(JSON.parse(received[1]!)).toEqual({
    type: 'audio.output',
    sequence: 1,
    speaker: 'agent',
    audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: 'AQID' },
  });
  expect(received.slice(2)).toEqual(['{"type":"long"}', '<5 bytes>']);
});

test('refuses the upgrade', async () => {
  pipeline.behaviour = { refuse: 503 };
  expect(await connect().ended).toContain('503');
  expect(pipeline.attempts).toBe(1);
  expect(pipeline.connections).toEqual([]);
});

test('is ready late, or only when it is told to be', async () => {
  pipeline.behaviour = { readyAfterMs: 50 };
  const late = connect();
  await expect.poll(() => late.received, patience).toEqual([ready]);
  pipeline.behaviour = { readyAfterMs: 'never' };
  const never = connect();
  const peer = await pipeline.connection(1);
  peer.send('first');
  peer.ready();
  await expect.poll(() => never.received, patience).toEqual(['first', ready]);
});

test('leaves pings and the end unanswered', async () => {
  pipeline.behaviour = { answersPings: false, answersEnd: false };
  const { socket, received } = connect();
  const peer = await pipeline.connection();
  await expect.poll(() => received, patience).toEqual([ready]);
  socket.send('{"type":"ping"}');
  socket.send('{"type":"session.end"}');
  await peer.message('session.end');
  peer.send('last');
  await expect.poll(() => received, patience).toEqual([ready, 'last']);
});

test('reads nothing until it is told to', async () => {
  pipeline.behaviour = { reads: false };
  const { socket, received } = connect();
  const peer = await pipeline.connection();
  await expect.poll(() => received, patience).toEqual([ready]);
  socket.send('{"type":"ping"}');
  peer.send('still here');
  await expect.poll(() => received.length, patience).toBe(2);
  expect(peer.messages).toEqual([]);
  peer.resume();
  await peer.message('ping');
});

test('resets the socket, breaks the framing, or closes with a code', async () => {
  const clients: Client[] = [];
  for (let i = 0; i < 3; i++) {
    clients.push(connect());
    await expect.poll(() => clients[i]?.received, patience).toEqual([ready]);
  }
  pipeline.connections[0]?.reset();
  pipeline.connections[1]?.sendRaw(Buffer.alloc(16, 0xff));
  pipeline.connections[2]?.close(4000, 'enough');
  expect(await Promise.all(clients.map(({ ended }) => ended))).toEqual([
    expect.stringMatching(/ECONNRESET|1006/),
    expect.stringContaining('Invalid WebSocket frame'),
    '4000',
  ]);
  await expect.poll(() => pipeline.openSockets, patience).toBe(0);
});

test('is killed and restarted on the same port, and makes one stream of what both lives heard', async () => {
  const chunk = (sequence: number, text: string) =>
    JSON.stringify({
      type: 'audio.input',
      sequence,
      speaker: 'agent',
      audio: { encoding: 'mulaw', sample_rate_hz: 8000, payload: Buffer.from(text).toString('base64') },
    });
  for (const [life, chunks] of [
    [chunk(1, 'a'), chunk(2, 'b')],
    [chunk(2, 'B'), chunk(3, 'c')],
  ].entries()) {
    const { socket, ended } = connect();
    const peer = await pipeline.connection(life);
    await expect.poll(() => socket.readyState, patience).toBe(WebSocket.OPEN);
    for (const text of chunks) socket.send(text);
    await peer.until(() => peer.chunks('agent').length === 2);
    await pipeline.kill();
    expect(await ended).toMatch(/ECONNRESET|1006/);
    expect(await connect().ended).toContain('ECONNREFUSED');
    await pipeline.restart();
  }
  expect(pipeline.heard('agent').map(({ audio }) => audio.toString())).toEqual(['a', 'b', 'c']);
});

test('answers a ping late', async () => {
  pipeline.behaviour = { pongAfterMs: 30 };
  const { socket, received } = connect();
  await expect.poll(() => received, patience).toEqual([ready]);
  socket.send('{"type":"ping"}');
  await expect.poll(() => received, patience).toEqual([ready, '{"type":"pong"}']);
});

test('close drops everybody', async () => {
  const { received, ended } = connect();
  await expect.poll(() => received, patience).toEqual([ready]);
  expect(pipeline.openSockets).toBe(1);
  await pipeline.close();
  expect(await ended).toBeDefined();
  await expect.poll(() => pipeline.openSockets, patience).toBe(0);
});
