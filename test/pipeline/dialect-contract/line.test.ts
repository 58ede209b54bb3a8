import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { MULAW_8K } from '../../../src/audio/format.ts';
import type { Conversation, Dialect } from '../../../src/pipeline/dialect.ts';
import { type Role, roles } from '../../../src/roles.ts';
import { type DialectPeer, type DialectServer, describeDialect } from './contract.ts';

/**
 * A dialect of this test's own that is in every way unlike `kallglot`: a connection for each speaker, ready when it is
 * open, greeted, pinged by WebSocket frames, without numbers and without a word for the end of a session by the pipeline.
 * It shows that the port has room for such.
 */
describeDialect('that is all different', startLineServer);

function lineDialect(port: number): Dialect {
  return {
    ...{ name: 'twilio', connections: 'per_speaker', replay: 'none', input: MULAW_8K, chunkMs: 200 },
    connect: (_session, [speaker]): Conversation => ({
      url: `ws://127.0.0.1:${port}/${speaker}`,
      headers: {},
      greeting: ['hello'],
      readyWhenOpen: true,
      speech: (_role, { audio }) => `speech ${audio.toString('base64')}`,
      ping: () => undefined,
      end: () => 'bye',
      answersEnd: true,
      isSpent: false,
      hangsUp: () => false,
      legChange: () => undefined,
      keyPress: () => undefined,
      markReached: () => undefined,
      concluded: () => undefined,
      refused: () => undefined,
      read: (frame) => {
        const [word, payload = ''] = frame.toString().split(' ');
        if (word !== 'speech') return { type: 'invalid', problem: 'not a word' };
        return { type: 'audio', speaker, encoding: 'mulaw', sampleRateHz: 8000, payload };
      },
    }),
  };
}

async function startLineServer(): Promise<DialectServer> {
  let refuses = false;
  let ignoresPings = false;
  const peers: LinePeer[] = [];
  const http = createServer();
  const sockets = new Set<Socket>();
  const webSockets: WebSocketServer[] = [true, false].map(
    (autoPong) => new WebSocketServer({ noServer: true, autoPong }),
  );
  http.on('connection', (socket: Socket) => sockets.add(socket));
  http.on('upgrade', (request, socket, head) => {
    // Who is refused may reset the connection.
    socket.on('error', () => socket.destroy());
    if (refuses) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const role = roles.find((known) => request.url === `/${known}`) as Role;
    webSockets[ignoresPings ? 1 : 0]!.handleUpgrade(request, socket, head, (webSocket) =>
      peers.push(new LinePeer(webSocket, socket as Socket, role)),
    );
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    dialect: lineDialect(port),
    refuse: () => {
      refuses = true;
    },
    ignorePings: () => {
      ignoresPings = true;
    },
    peers,
    close: async () => {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

class LinePeer implements DialectPeer {
  readonly #role: Role;
  readonly closed: Promise<unknown>;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #words: string[] = [];

  constructor(webSocket: WebSocket, socket: Socket, role: Role) {
    this.#role = role;
    this.#webSocket = webSocket;
    this.#socket = socket;
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('message', (data) => {
      this.#words.push(data.toString());
      if (this.wasToldEnd) webSocket.close();
    });
    this.closed = new Promise((resolve) => webSocket.once('close', resolve));
  }

  get wasToldEnd(): boolean {
    return this.#words.at(0) === 'hello' && this.#words.at(-1) === 'bye';
  }

  carries(speaker: Role): boolean {
    return speaker === this.#role;
  }

  heard(speaker: Role): Buffer {
    const spoken = this.#words.filter((word) => this.carries(speaker) && word.startsWith('speech '));
    return Buffer.concat(spoken.map((word) => Buffer.from(word.slice(7), 'base64')));
  }

  say(_speaker: Role, audio: Buffer): void {
    this.#webSocket.send(`speech ${audio.toString('base64')}`);
  }

  sendGarbage(): void {
    this.#webSocket.send('mumble');
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  end(): boolean {
    return false;
  }
}
