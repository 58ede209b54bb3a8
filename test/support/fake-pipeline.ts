import type { IncomingHttpHeaders } from 'node:http';
import { type Peer, SocketServer } from './socket-server.ts';

/**
 * A translation pipeline whose behaviour a test sets, on a free port of loopback. It records what it receives, and can
 * misbehave in every way in which a real one has been seen to.
 */
export interface FakeBehaviour {
  /** HTTP status that answers the upgrade request instead of a WebSocket. */
  refuse?: number;
  /** When `session.ready` is sent: ms after the connect, or never. */
  readyAfterMs?: number | 'never';
  /** Whether a `ping` is answered. */
  answersPings?: boolean;
  /** How long an answer to a `ping` takes, ms; at once when absent. */
  pongAfterMs?: number;
  /** Whether `session.end` is answered and the socket closed. */
  answersEnd?: boolean;
  /** The translation of what a speaker said, mu-law both ways; it is sent back at once. */
  translates?: (speaker: string, audio: Buffer) => Buffer;
  /** Whether anything is read from the socket at all. */
  reads?: boolean;
}

export interface ReceivedMessage {
  type: string;
  [field: string]: unknown;
}

export interface ReceivedChunk {
  sequence: number;
  timestampMs: number;
  audio: Buffer;
}

/** The pipeline's side of one connection. */
export class FakeConnection {
  readonly headers: IncomingHttpHeaders;
  /** Path and query of the upgrade request. */
  readonly target: string;
  /** The `token` of the query. */
  readonly token: string;
  /** Everything but audio, in order. */
  readonly messages: ReceivedMessage[] = [];
  /** Resolves with the close code when the connection has ended. */
  readonly closed: Promise<number>;
  readonly #peer: Peer;
  readonly #chunks: Record<string, ReceivedChunk[]> = {};
  readonly #waiting = new Set<() => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #sequence = 0;

  constructor(peer: Peer, behaviour: FakeBehaviour) {
    const { webSocket, request } = peer;
    this.#peer = peer;
    this.headers = request.headers;
    this.target = request.url ?? '';
    this.token = new URL(this.target, 'ws://fake').searchParams.get('token') ?? '';
    webSocket.on('message', (data) => this.#receive(data as Buffer, behaviour));
    this.closed = new Promise((resolve) => webSocket.once('close', resolve));
    webSocket.once('close', () => {
      for (const timer of this.#timers) clearTimeout(timer);
    });
    if (behaviour.reads === false) this.stall();
    const { readyAfterMs = 0 } = behaviour;
    if (readyAfterMs === 0) this.ready();
    else if (readyAfterMs !== 'never') this.#later(readyAfterMs, () => this.ready());
  }

  ready(): void {
    this.send({ type: 'session.ready' });
  }

  /** Sends JSON; a string goes as it is. */
  send(message: object | string): void {
    this.#peer.webSocket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Sends mu-law audio of any length as one `audio.output`: the translation of what `speaker` said. */
  say(speaker: string, audio: Buffer): void {
    this.sayAs(speaker, audio, 'mulaw', 8000);
  }

  sayAs(speaker: string, audio: Buffer, encoding: string, sampleRateHz: number): void {
    const payload = audio.toString('base64');
    this.send({
      type: 'audio.output',
      sequence: ++this.#sequence,
      speaker,
      audio: { encoding, sample_rate_hz: sampleRateHz, payload },
    });
  }

  sendBinary(data: Buffer): void {
    this.#peer.webSocket.send(data, { binary: true });
  }

  /** Sends one text message in WebSocket fragments of `size` characters. */
  sendFragmented(text: string, size: number): void {
    for (let at = 0; at < text.length; at += size) {
      this.#peer.webSocket.send(text.slice(at, at + size), { fin: at + size >= text.length });
    }
  }

  /** Writes bytes past the WebSocket, so that they break its framing. */
  sendRaw(bytes: Buffer): void {
    this.#peer.socket.write(bytes);
  }

  /** Reads nothing more from the socket, as a pipeline that hangs. */
  stall(): void {
    this.#peer.webSocket.pause();
  }

  resume(): void {
    this.#peer.webSocket.resume();
  }

  /** Closes as the protocol has it. */
  close(code = 1000, reason = ''): void {
    this.#peer.webSocket.close(code, reason);
  }

  /** TCP RST, as when a process is killed or a firewall forgets. */
  reset(): void {
    this.#peer.socket.resetAndDestroy();
  }

  /** All audio of a speaker. */
  audio(speaker: string): Buffer {
    return Buffer.concat(this.chunks(speaker).map((chunk) => chunk.audio));
  }

  chunks(speaker: string): readonly ReceivedChunk[] {
    return this.#chunks[speaker] ?? [];
  }

  /** Resolves as soon as `condition` holds; it is asked again after every message. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Resolves with the first message of a type that has come or will come. */
  async message(type: string): Promise<ReceivedMessage> {
    const find = () => this.messages.find((message) => message.type === type);
    await this.until(() => find() !== undefined);
    return find()!;
  }

  #receive(data: Buffer, behaviour: FakeBehaviour): void {
    const message = JSON.parse(data.toString()) as ReceivedMessage;
    if (message.type === 'audio.input') this.#record(message, behaviour.translates);
    else this.messages.push(message);
    if (message.type === 'ping' && behaviour.answersPings !== false) {
      const { pongAfterMs = 0 } = behaviour;
      if (pongAfterMs === 0) this.send({ type: 'pong' });
      else this.#later(pongAfterMs, () => this.send({ type: 'pong' }));
    }
    if (message.type === 'session.end' && behaviour.answersEnd !== false) {
      this.send({ type: 'session.ended', reason: 'explicit_end' });
      this.close();
    }
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #record(message: ReceivedMessage, translates: FakeBehaviour['translates']): void {
    const { speaker, sequence, timestamp_ms, audio } = message as unknown as {
      speaker: string;
      sequence: number;
      timestamp_ms: number;
      audio: { payload: string };
    };
    const chunk = Buffer.from(audio.payload, 'base64');
    this.#chunks[speaker] ??= [];
    this.#chunks[speaker].push({ sequence, timestampMs: timestamp_ms, audio: chunk });
    if (translates) this.say(speaker, translates(speaker, chunk));
  }

  #later(ms: number, action: () => void): void {
    this.#timers.add(setTimeout(action, ms));
  }
}

export class FakePipeline {
  readonly connections: FakeConnection[] = [];
  readonly #server: SocketServer;
  #behaviour: FakeBehaviour = {};
  readonly #waiting: (() => void)[] = [];

  /** Starts on a free port. */
  static async start(behaviour: FakeBehaviour = {}): Promise<FakePipeline> {
    const server = await SocketServer.start((peer) => pipeline.#accept(peer));
    const pipeline = new FakePipeline(server);
    pipeline.behaviour = behaviour;
    return pipeline;
  }

  private constructor(server: SocketServer) {
    this.#server = server;
  }

  /** For connections from now on. */
  get behaviour(): Readonly<FakeBehaviour> {
    return this.#behaviour;
  }

  set behaviour(behaviour: FakeBehaviour) {
    this.#behaviour = behaviour;
    this.#server.refuse = behaviour.refuse;
  }

  /** Upgrade requests so far, refused ones included. */
  get attempts(): number {
    return this.#server.attempts;
  }

  /** The address with `{session_id}` and `{token}` to be filled in. */
  get url(): string {
    return `${this.#server.url}/v1/sessions/{session_id}/connect?token={token}`;
  }

  /** TCP connections that are open now. */
  get openSockets(): number {
    return this.#server.openSockets;
  }

  /** Resolves with the n-th connection (from 0), when it has been made. */
  async connection(index = 0): Promise<FakeConnection> {
    while (this.connections.length <= index) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.connections[index]!;
  }

  /**
   * What a receiver makes of all connections so far: the chunks of a speaker in the order in which they came, without
   * those whose numbers it knew already.
   */
  heard(speaker: string): ReceivedChunk[] {
    const known = new Map<number, ReceivedChunk>();
    for (const chunk of this.connections.flatMap((connection) => connection.chunks(speaker))) {
      if (!known.has(chunk.sequence)) known.set(chunk.sequence, chunk);
    }
    return [...known.values()];
  }

  /** As when its process is killed: connections are reset, and nobody listens. */
  kill(): Promise<void> {
    return this.#server.kill();
  }

  /** Listens, after a `kill` where it did before. */
  restart(): Promise<void> {
    return this.#server.restart();
  }

  /** Drops all connections and stops. */
  close(): Promise<void> {
    return this.#server.close();
  }

  #accept(peer: Peer): void {
    this.connections.push(new FakeConnection(peer, this.#behaviour));
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
