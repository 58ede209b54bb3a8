import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { newSessionId } from '../../src/ids.ts';
import type { Role, SessionMode } from '../../src/roles.ts';
import { signToken } from '../../src/session-token.ts';
import { CPrograms } from './c-programs.ts';
import {
  type EchoLanguage,
  type EchoPipeline,
  startEchoInC,
  startEchoInTypeScript,
} from './echo-pipeline.ts';

const tokenSecret = 'secret-of-the-echo-test';
const patience = { timeout: 15_000, interval: 20 };
const MIB = 1024 * 1024;
const TEXT = 0x81;

/** What the program in C needs; where it is there, a program that does not compile is a failure. */
const hasCompiler =
  process.platform === 'linux' && spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
let programs: CPrograms | undefined;
let pipeline: EchoPipeline;
const sockets: WebSocket[] = [];

afterAll(() => programs?.remove());
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
});

async function start(language: EchoLanguage): Promise<EchoPipeline> {
  if (language === 'TypeScript') return startEchoInTypeScript(tokenSecret);
  programs ??= CPrograms.compile();
  if (!programs) throw new Error('the programs in C do not compile');
  return startEchoInC(programs.path('echo-pipeline'));
}

type Message = Record<string, unknown>;

interface Conversation {
  sessionId: string;
  socket: WebSocket;
  /** Beneath `socket`, for bytes that it would not send. */
  raw: Socket;
  received: Message[];
  /** The code that it is closed with. */
  closed: Promise<number>;
}

/** As the gateway connects; resolves when the pipeline is ready. */
async function converse(mode: SessionMode = 'bidirectional_translation'): Promise<Conversation> {
  const sessionId = newSessionId();
  const token = signToken(tokenSecret, sessionId, Date.now());
  const url = pipeline.url.replace('{session_id}', sessionId).replace('{token}', token);
  const raw = connectSocket(Number(new URL(url).port), '127.0.0.1').setNoDelay(true);
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    headers: { 'X-Kallglot-Session': sessionId, 'X-Kallglot-Mode': mode },
    createConnection: () => raw,
  });
  sockets.push(socket);
  socket.on('error', () => undefined);
  const received: Message[] = [];
  socket.on('message', (data) => received.push(JSON.parse(data.toString())));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await expect.poll(() => received, patience).toEqual([{ type: 'session.ready', session_id: sessionId }]);
  received.length = 0;
  return { sessionId, socket, raw, received, closed };
}

const audio = (payload: string) => ({ encoding: 'mulaw', sample_rate_hz: 8000, payload });
const input = (sequence: number, speaker: Role, payload: string): string =>
  JSON.stringify({ type: 'audio.input', sequence, timestamp_ms: Date.now(), speaker, audio: audio(payload) });
const output = (sequence: number, speaker: Role, payload: string): Message => ({
  ...{ type: 'audio.output', sequence, speaker, audio: audio(payload) },
});
const sound = (bytes: number, of = 1): string => Buffer.alloc(bytes, of).toString('base64');

/** A text frame of a client, masked. */
function frameOf(text: string): Buffer {
  const mask = Buffer.from([0x12, 0xfe, 0x00, 0x9a]);
  const payload = Buffer.from(text);
  const header =
    payload.length < 126
      ? Buffer.from([TEXT, 0x80 | payload.length])
      : Buffer.from([TEXT, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}

/** Resolves when the pipeline has read all that came to it before. */
async function answersPing({ socket, received, sessionId }: Conversation): Promise<void> {
  socket.send('{"type":"ping"}');
  await expect.poll(() => received.at(-1), patience).toEqual({ type: 'pong', session_id: sessionId });
  received.length = 0;
}

describe.each([
  { language: 'C', skipped: !hasCompiler },
  { language: 'TypeScript', skipped: false },
] as const)('the echo pipeline in $language', ({ language, skipped }) => {
  describe.skipIf(skipped)('in a conversation', () => {
    beforeAll(async () => {
      pipeline = await start(language);
      return () => pipeline.stop();
    }, 60_000);

    test('each party of two hears itself: the output names the other as its speaker', async () => {
      const { socket, received } = await converse();
      // The last one is longer than 16 bits tell.
      const sounds = [sound(0), sound(800, 2), sound(60_000, 3)] as const;
      socket.send(input(1, 'customer', sounds[0]));
      socket.send(input(1, 'agent', sounds[1]));
      socket.send(input(2, 'customer', sounds[2]));
      await expect.poll(() => received.length, patience).toBe(3);
      expect(received).toEqual([
        output(1, 'agent', sounds[0]),
        output(2, 'customer', sounds[1]),
        output(3, 'agent', sounds[2]),
      ]);
    });

    test.each(['ai_agent', 'help_chat_voice'] as const)('in %s the lone leg hears itself', async (mode) => {
      const { socket, received } = await converse(mode);
      socket.send(input(1, 'customer', sound(800)));
      await expect.poll(() => received, patience).toEqual([output(1, 'customer', sound(800))]);
    });

    test('pings are answered, those in JSON and those of the protocol; a good-bye too', async () => {
      const { sessionId, socket, received, closed } = await converse();
      const pong = new Promise<string>((resolve) => socket.once('pong', (data) => resolve(data.toString())));
      socket.ping('are you there?');
      expect(await pong).toBe('are you there?');
      socket.send('{"type":"ping"}');
      socket.send('{"type":"session.end"}');
      expect(await closed).toBe(1000);
      expect(received).toEqual([
        { type: 'pong', session_id: sessionId },
        { type: 'session.ended', session_id: sessionId, reason: 'explicit_end' },
      ]);
    });

    test('a client that closes is answered', async () => {
      const { socket, closed } = await converse();
      socket.close(1000);
      expect(await closed).toBe(1000);
    });

    test('what is no audio in mulaw at 8000 Hz is complained of, and the next is heard', async () => {
      const { socket, received } = await converse();
      socket.send('garbage');
      socket.send(input(1, 'agent', sound(80)).replace('mulaw', 'pcm_16'));
      socket.send('{"type":"unheard.of"}');
      socket.send(Buffer.alloc(10));
      socket.send(input(2, 'agent', sound(80)));
      await expect.poll(() => received.at(-1), patience).toEqual(output(1, 'customer', sound(80)));
      expect(received.map(({ code }) => code)).toEqual([
        'invalid_message',
        'invalid_audio_format',
        undefined,
      ]);
    });

    test('frames are read however the segments cut them', async () => {
      const [cut, other] = [await converse(), await converse()];
      cut.raw.write(
        Buffer.concat([input(1, 'agent', sound(80, 1)), input(2, 'agent', sound(80, 2))].map(frameOf)),
      );
      await expect.poll(() => cut.received.length, patience).toBe(2);
      const bytes = frameOf(input(3, 'agent', sound(800, 3)));
      const cuts = [0, 1, 2, 3, 5, 7, 9, 500, bytes.length - 1, bytes.length];
      for (let i = 1; i < cuts.length; i++) {
        cut.raw.write(bytes.subarray(cuts[i - 1], cuts[i]));
        await answersPing(other);
      }
      await expect.poll(() => cut.received.length, patience).toBe(3);
      expect(cut.received).toEqual([1, 2, 3].map((n) => output(n, 'customer', sound(n === 3 ? 800 : 80, n))));
    });

    test('too large a message costs its sender the connection, and nobody else', async () => {
      const [large, other] = [await converse(), await converse()];
      large.socket.send(input(1, 'agent', sound(MIB)));
      await large.closed;
      expect(large.received).toEqual([]);
      await answersPing(other);
    });

    test('a client that pauses gets all that waited, in order', async () => {
      const { socket, received } = await converse();
      socket.pause();
      const sounds = Array.from({ length: 30 }, (_, i) => sound(20_000, i));
      for (const [i, payload] of sounds.entries()) socket.send(input(i + 1, 'agent', payload));
      await answersPing(await converse());
      socket.resume();
      await expect.poll(() => received.length, patience).toBe(sounds.length);
      expect(received).toEqual(sounds.map((payload, i) => output(i + 1, 'customer', payload)));
    });

    test.skipIf(process.platform !== 'linux')('clients that come and go leave nothing behind', async () => {
      const openFiles = () => readdirSync(`/proc/${pipeline.pid}/fd`).length;
      const stays = await converse();
      // Those of earlier tests may still be on their way out.
      for (const socket of sockets) if (socket !== stays.socket) socket.terminate();
      await answersPing(stays);
      const before = openFiles();
      for (let i = 0; i < 20; i++) {
        const { socket, raw } = await converse();
        // In the middle of a message, and with an answer on its way.
        socket.send(input(1, 'agent', sound(80)));
        raw.write(frameOf(input(2, 'agent', sound(800))).subarray(0, 100));
        if (i % 2 === 0) raw.resetAndDestroy();
        else raw.destroy();
      }
      await expect.poll(openFiles, patience).toBeLessThanOrEqual(before);
      await answersPing(stays);
    });
  });
});

describe.skipIf(!hasCompiler)('the echo pipeline in C', () => {
  beforeAll(async () => {
    pipeline = await start('C');
    return () => pipeline.stop();
  }, 60_000);

  test('a client that never reads is dropped, and nobody else', async () => {
    const [deaf, other] = [await converse(), await converse()];
    deaf.socket.pause();
    const dropped = new Promise((resolve) => deaf.raw.once('close', resolve));
    // 20 MiB: more than it keeps and the kernel takes.
    for (let i = 0; i < 30; i++) deaf.socket.send(input(i, 'agent', sound(MIB / 2)));
    await answersPing(other);
    await dropped;
    await answersPing(other);
  });

  test('it ends with its stdin', async () => {
    const another = await start('C');
    await another.stop();
    expect(() => process.kill(another.pid, 0)).toThrow();
  });
});
