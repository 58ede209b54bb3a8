import { WebSocket } from 'ws';
import { encode } from './g711.ts';
import type { HeardPacket } from './rtp-packet.ts';

const PIECE_BYTES = 160;
const PIECE_MS = 20;
/** What comes later than this after the piece before it followed on silence. */
const GAP_MS = 80;
const SILENCE = Buffer.alloc(PIECE_BYTES, 0xff);

// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever it was sent
export type StreamMessage = Record<string, any>;

/** How one kind of client writes what it says, and finds what it hears in what it is sent. */
export interface StreamKind {
  chunkMs: number;
  /** Sends silence too while it has nothing to say, as a call does. */
  continuous: boolean;
  speech(payload: string, number: number, timestampMs: number): StreamMessage;
  heard(message: StreamMessage): string | undefined;
  /** What is said to a message at once. */
  answer?(message: StreamMessage): StreamMessage | undefined;
}

/** An upgrade was answered otherwise. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: StreamMessage;

  constructor(status: number, body: string) {
    super(`upgrade refused with ${status}: ${body}`);
    this.status = status;
    this.body = JSON.parse(body || '{}');
  }
}

/**
 * A client of a session's stream, on a real WebSocket. It speaks in real time, and keeps all that it is sent; what it hears is
 * kept as a phone keeps packets of PCMU, with silence where nothing came.
 */
export class StreamClient {
  /** All that came, audio apart. */
  readonly messages: StreamMessage[] = [];
  readonly outputs: StreamMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;
  readonly media: StreamMedia;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket, kind: StreamKind) {
    this.socket = socket;
    this.media = new StreamMedia(kind, (message) => this.send(message));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => {
        this.media.close();
        this.#wake();
        resolve({ code, reason: reason.toString() });
      }),
    );
    socket.on('message', (data) => {
      const message = JSON.parse(data.toString()) as StreamMessage;
      const payload = kind.heard(message);
      const answer = kind.answer?.(message);
      if (answer !== undefined) this.send(answer);
      if (payload === undefined) this.messages.push(message);
      else {
        this.outputs.push(message);
        this.media.take(Buffer.from(payload, 'base64'));
      }
      this.#wake();
    });
  }

  /** @throws UpgradeRefused */
  static open(url: string, kind: StreamKind): Promise<StreamClient> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const client = new StreamClient(socket, kind);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client));
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (data) => {
          body += data;
        });
        response.on('end', () => reject(new UpgradeRefused(response.statusCode ?? 0, body)));
      });
    });
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Sends JSON; a string goes as it is. */
  send(message: StreamMessage | string): void {
    if (this.isOpen) this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first message that is wanted and has come or will come. @throws Error when the connection ends before */
  async message(wanted: (message: StreamMessage) => boolean): Promise<StreamMessage> {
    for (;;) {
      const found = this.messages.find(wanted);
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED)
        throw new Error(`closed before it came; it got ${JSON.stringify(this.messages)}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** The same by `type`. */
  typed(type: string): Promise<StreamMessage> {
    return this.message((message) => message.type === type);
  }

  /** Closes as the protocol has it, and waits for it. */
  async close(): Promise<void> {
    this.socket.close(1000);
    await this.closed;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** What a client says and hears. */
class StreamMedia {
  readonly #kind: StreamKind;
  readonly #send: (message: StreamMessage) => void;
  readonly #heard: HeardPacket[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  #speech = Buffer.alloc(0);
  #chunks = 0;
  #spoken = 0;

  constructor(kind: StreamKind, send: (message: StreamMessage) => void) {
    this.#kind = kind;
    this.#send = send;
    this.#timer = setInterval(() => this.#speak(), 10);
  }

  /** What was heard so far, in pieces of 20 ms. */
  get heard(): readonly HeardPacket[] {
    this.#fill(performance.now());
    return this.#heard;
  }

  /** Says this from now on, in place of what it was saying. */
  play(samples: Int16Array): void {
    this.#speech = Buffer.from(encode('PCMU', samples));
  }

  /** Is silent from now on. */
  stop(): void {
    this.#speech = Buffer.alloc(0);
  }

  take(audio: Buffer): void {
    const at = performance.now();
    this.#fill(at);
    for (let from = 0; from < audio.length; from += PIECE_BYTES)
      this.#keep(audio.subarray(from, from + PIECE_BYTES), at);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Silence for as long as nothing came. */
  #fill(now: number): void {
    for (;;) {
      const last = this.#heard.at(-1);
      if (last === undefined || now - last.at < GAP_MS) return;
      this.#keep(SILENCE, last.at + PIECE_MS);
    }
  }

  #keep(payload: Uint8Array, at: number): void {
    const seq = this.#heard.length;
    this.#heard.push({
      payload,
      at,
      seq,
      timestamp: seq * PIECE_BYTES,
      pt: 0,
      ssrc: 1,
      marker: false,
      from: 0,
    });
  }

  #speak(): void {
    const { chunkMs, continuous, speech } = this.#kind;
    const due = Math.floor((performance.now() - this.#startedAt) / chunkMs);
    for (; this.#chunks < due; this.#chunks++) {
      const length = chunkMs * 8;
      const chunk = this.#speech.subarray(0, length);
      this.#speech = this.#speech.subarray(length);
      if (chunk.length === 0 && !continuous) continue;
      const payload = Buffer.concat([chunk, Buffer.alloc(length - chunk.length, 0xff)]).toString('base64');
      this.#send(speech(payload, ++this.#spoken, this.#chunks * chunkMs));
    }
  }
}
