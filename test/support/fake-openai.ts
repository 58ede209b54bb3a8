import type { IncomingHttpHeaders } from 'node:http';
import type {
  RealtimeTranslationClientEvent,
  RealtimeTranslationServerEvent,
} from 'openai/resources/realtime/realtime';
import { mulawToLinear } from '../../src/audio/g711.ts';
import { Resampler } from '../../src/audio/resampler.ts';
import { type Peer, SocketServer } from './socket-server.ts';

type ServerEvent = RealtimeTranslationServerEvent;
/** An event without the id that the server gives it. */
type Told = ServerEvent extends infer Event
  ? Event extends ServerEvent
    ? Omit<Event, 'event_id'>
    : never
  : never;

export interface OpenaiBehaviour {
  /** Whether a session is set up as asked; or the error that answers. */
  accepts?: boolean | { type: string; code: string; message: string };
  /** Whether `session.close` is answered. */
  answersClose?: boolean;
  /** The translation of what is said, PCM at 24 kHz both ways; it is sent back at once. */
  translates?: (language: string, audio: Int16Array) => Int16Array;
}

/** The service's side of one session, as the types of the package `openai` have it. */
export class FakeTranslationSession {
  readonly headers: IncomingHttpHeaders;
  /** Path and query of the upgrade request. */
  readonly target: string;
  readonly received: RealtimeTranslationClientEvent[] = [];
  readonly closed: Promise<number>;
  readonly #peer: Peer;
  readonly #behaviour: OpenaiBehaviour;
  readonly #audio: Buffer[] = [];
  readonly #resampler = new Resampler(8000, 24_000);
  #events = 0;

  constructor(peer: Peer, behaviour: OpenaiBehaviour) {
    this.#peer = peer;
    this.#behaviour = behaviour;
    this.headers = peer.request.headers;
    this.target = peer.request.url ?? '';
    this.closed = new Promise((resolve) => peer.webSocket.once('close', resolve));
    peer.webSocket.on('message', (data) => this.#receive(data as Buffer));
    this.send({ type: 'session.created', session: this.#session() });
  }

  /** What it was asked to translate to; undefined until then. */
  get language(): string | undefined {
    return this.#update()?.session.audio?.output?.language;
  }

  get transcriptionModel(): string | undefined {
    return this.#update()?.session.audio?.input?.transcription?.model;
  }

  /** All that it heard: PCM, 24 kHz. */
  get heard(): Buffer {
    return Buffer.concat(this.#audio);
  }

  /** How long each chunk was, bytes. */
  get chunkBytes(): number[] {
    return this.#audio.map(({ length }) => length);
  }

  get wasToldEnd(): boolean {
    return this.received.some(({ type }) => type === 'session.close');
  }

  send(event: Told): void {
    this.sendText(JSON.stringify({ ...event, event_id: `event_${++this.#events}` }));
  }

  sendText(text: string): void {
    this.#peer.webSocket.send(text);
  }

  /** Says the translation of what it heard. @param audio PCM, 24 kHz */
  say(audio: Int16Array): void {
    const delta = Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength).toString('base64');
    this.send({
      type: 'session.output_audio.delta',
      delta,
      format: 'pcm16',
      sample_rate: 24_000,
      channels: 1,
    });
  }

  /** The same, of mu-law at 8 kHz. */
  sayMulaw(audio: Buffer): void {
    this.say(this.#resampler.process(mulawToLinear(audio)).slice());
  }

  fail(code: string, message: string, type = 'invalid_request_error'): void {
    this.send({ type: 'error', error: { type, code, message, param: null, event_id: null } });
  }

  stall(): void {
    this.#peer.webSocket.pause();
  }

  close(code = 1000, reason = ''): void {
    this.#peer.webSocket.close(code, reason);
  }

  reset(): void {
    this.#peer.socket.resetAndDestroy();
  }

  #update() {
    return this.received.find((event) => event.type === 'session.update');
  }

  #session() {
    const language = this.language ?? 'en';
    const hour = Math.floor(Date.now() / 1000) + 3600;
    const audio = { input: {}, output: { language } };
    return {
      id: 'sess_fake',
      type: 'translation' as const,
      model: 'gpt-realtime-translate',
      expires_at: hour,
      audio,
    };
  }

  #receive(data: Buffer): void {
    const event = JSON.parse(data.toString()) as RealtimeTranslationClientEvent;
    if (event.type === 'session.input_audio_buffer.append') {
      this.#hear(Buffer.from(event.audio, 'base64'));
      return;
    }
    this.received.push(event);
    const { accepts = true, answersClose = true } = this.#behaviour;
    if (event.type === 'session.update') {
      if (accepts === true) this.send({ type: 'session.updated', session: this.#session() });
      else if (accepts !== false) this.fail(accepts.code, accepts.message, accepts.type);
    } else if (answersClose) {
      this.send({ type: 'session.closed' });
      this.close();
    }
  }

  #hear(audio: Buffer): void {
    this.#audio.push(audio);
    const { translates } = this.#behaviour;
    if (translates === undefined) return;
    this.say(translates(this.language ?? '', new Int16Array(new Uint8Array(audio).buffer)));
  }
}

/** OpenAI's real-time translation whose behaviour a test sets, on a free port of loopback. */
export class FakeOpenai {
  /** For sessions from now on. */
  behaviour: OpenaiBehaviour = {};
  readonly sessions: FakeTranslationSession[] = [];
  readonly server: SocketServer;

  static async start(behaviour: OpenaiBehaviour = {}): Promise<FakeOpenai> {
    const server = await SocketServer.start((peer) => {
      fake.sessions.push(new FakeTranslationSession(peer, fake.behaviour));
    });
    const fake = new FakeOpenai(server);
    fake.behaviour = behaviour;
    return fake;
  }

  private constructor(server: SocketServer) {
    this.server = server;
  }

  get url(): string {
    return `${this.server.url}/v1/realtime/translations`;
  }

  /** The last session that translates to a language. */
  to(language: string): FakeTranslationSession | undefined {
    return this.sessions.findLast((session) => session.language === language);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}
