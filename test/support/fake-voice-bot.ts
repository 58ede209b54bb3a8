import type { IncomingHttpHeaders } from 'node:http';
import { type Peer, SocketServer } from './socket-server.ts';

/** What Twilio sends, as its documentation "Media Streams: WebSocket Messages" has it. */
export interface StreamMessage {
  event: 'connected' | 'start' | 'media' | 'mark' | 'dtmf' | 'stop';
  sequenceNumber?: string;
  streamSid?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  [content: string]: any;
}

export interface BotBehaviour {
  /** What the bot answers to a piece of speech, mu-law both ways; it is sent at once. */
  answers?: (role: string, audio: Buffer) => Buffer;
  /** Whether it closes its side when a stream stops, as most bots do. */
  closesAtStop?: boolean;
}

/** The bot's side of one connection. */
export class BotConnection {
  readonly headers: IncomingHttpHeaders;
  readonly target: string;
  /** Everything but audio, in order. */
  readonly messages: StreamMessage[] = [];
  readonly media: StreamMessage[] = [];
  readonly closed: Promise<number>;
  readonly #peer: Peer;
  readonly #behaviour: BotBehaviour;
  readonly #onMedia: (connection: BotConnection, audio: Buffer) => void;

  constructor(
    peer: Peer,
    behaviour: BotBehaviour,
    onMedia: (connection: BotConnection, audio: Buffer) => void,
  ) {
    this.#peer = peer;
    this.#behaviour = behaviour;
    this.#onMedia = onMedia;
    this.headers = peer.request.headers;
    this.target = peer.request.url ?? '';
    this.closed = new Promise((resolve) => peer.webSocket.once('close', resolve));
    peer.webSocket.on('message', (data) => this.#receive(JSON.parse(data.toString())));
  }

  /** The last `start`. */
  get start(): StreamMessage | undefined {
    return this.messages.findLast(({ event }) => event === 'start');
  }

  get streamSid(): string | undefined {
    return this.start?.streamSid;
  }

  /** Whose stream it is; undefined until it starts. */
  get role(): string | undefined {
    return this.start?.start.customParameters.role;
  }

  get heard(): Buffer {
    return Buffer.concat(this.media.map(({ media }) => Buffer.from(media.payload, 'base64')));
  }

  get wasToldEnd(): boolean {
    return this.messages.at(-1)?.event === 'stop';
  }

  say(audio: Buffer): void {
    this.send({ event: 'media', media: { payload: audio.toString('base64') } });
  }

  mark(name: string): void {
    this.send({ event: 'mark', mark: { name } });
  }

  clear(): void {
    this.send({ event: 'clear' });
  }

  /** Of the stream that was started last, unless the message says otherwise. */
  send(message: object): void {
    this.sendText(JSON.stringify({ streamSid: this.streamSid, ...message }));
  }

  sendText(text: string): void {
    this.#peer.webSocket.send(text);
  }

  stall(): void {
    this.#peer.webSocket.pause();
  }

  /** @param code absent: without a word */
  close(code?: number): void {
    this.#peer.webSocket.close(code);
  }

  reset(): void {
    this.#peer.socket.resetAndDestroy();
  }

  #receive(message: StreamMessage): void {
    if (message.event === 'media') {
      this.media.push(message);
      this.#onMedia(this, Buffer.from(message.media.payload, 'base64'));
    } else {
      this.messages.push(message);
    }
    if (message.event === 'stop' && this.#behaviour.closesAtStop) this.close(1000);
  }
}

/** A voice bot that was made for Twilio's Media Streams, on a free port of loopback. */
export class FakeVoiceBot {
  /** For connections from now on. */
  behaviour: BotBehaviour = {};
  readonly connections: BotConnection[] = [];
  readonly server: SocketServer;

  static async start(behaviour: BotBehaviour = {}): Promise<FakeVoiceBot> {
    const server = await SocketServer.start((peer) => bot.#accept(peer));
    const bot = new FakeVoiceBot(server);
    bot.behaviour = behaviour;
    return bot;
  }

  private constructor(server: SocketServer) {
    this.server = server;
  }

  get url(): string {
    return `${this.server.url}/bot/{role}?session={session_id}`;
  }

  /** The last stream of a party. */
  of(role: string): BotConnection | undefined {
    return this.connections.findLast((connection) => connection.role === role);
  }

  close(): Promise<void> {
    return this.server.close();
  }

  /** What one party says is answered to the other, or to itself where it is alone. */
  #accept(peer: Peer): void {
    const { behaviour } = this;
    const connection = new BotConnection(peer, behaviour, (from, audio) => {
      const role = from.role ?? '';
      const listener = this.of(role === 'customer' ? 'agent' : 'customer') ?? from;
      if (behaviour.answers) listener.say(behaviour.answers(role, audio));
    });
    this.connections.push(connection);
  }
}
