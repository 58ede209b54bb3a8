import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { FrameReader } from '../drachtio-frames.ts';
import { refusals } from '../errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { NewRefusal } from '../telemetry/refusal-book.ts';
import { isReadable } from './drachtio-parser.ts';
import { FrameQueue } from './frame-queue.ts';
import { isTooLong } from './message-limits.ts';

export interface WireOptions {
  /** What is routed to us by method is asked for when the engine has taken our secret; where it connects to us, all is. */
  routes: boolean;
  /** The limits of a drachtio-server hold. */
  limited: boolean;
  /** A frame of the engine. */
  onFrame: (payload: string) => void;
  /** A request was refused in place of being handed on. */
  onRefused: (refusal: NewRefusal) => void;
  log: Log;
}

/** Why a request is refused that drachtio-srf could not read, or not in time. */
type Unfit = 'message_too_large' | 'bad_request';
const phrases = { message_too_large: 'Message Too Large', bad_request: 'Bad Request' } as const;

/** Bytes of one frame; a SIP message over UDP has 64 kB at most. */
const FRAME_MOST = 1_048_576;
/** An engine that answers nothing for three pings is as good as gone. */
const PING_MS = 5000;
const UNANSWERED_MOST = 3;
/** So does one that lets so many frames wait. */
const WAITING_MOST = 10_000;

/**
 * Frames of drachtio's protocol on a socket, in place of drachtio-srf's own `WireProtocol`: that one has no limits,
 * takes no notice of pings that stay unanswered, throws at what it cannot read, and reconnects in its own way, without
 * TLS and without end. Of a drachtio-server only SIP goes on that drachtio-srf can read; the embedded engine sends no other.
 */
export class DrachtioWire {
  readonly #socket: Socket;
  readonly #options: WireOptions;
  readonly #reader = new FrameReader(FRAME_MOST);
  readonly #queue: FrameQueue | undefined;
  #pings: NodeJS.Timeout | undefined;
  #unanswered = 0;
  /** When the last frame came that was no answer to a ping, by `performance.now()`. */
  heardAt = performance.now();

  constructor(socket: Socket, options: WireOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#queue = options.limited ? new FrameQueue((bytes) => void socket.write(bytes)) : undefined;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('close', () => clearInterval(this.#pings));
  }

  /** Whether drachtio-srf asks for its routes. */
  get isClient(): boolean {
    return this.#options.routes;
  }

  /** @returns the id of the frame. @throws RangeError when a drachtio-server could not read it */
  send(_socket: Socket, text: string): string {
    const id = randomUUID();
    const payload = Buffer.from(`${id}|${separateChallenges(text)}`);
    const frame = Buffer.concat([Buffer.from(`${payload.length}#`), payload]);
    if (this.#queue === undefined) this.#socket.write(frame);
    else this.#queue.add(id, frame);
    if ((this.#queue?.waiting ?? 0) > WAITING_MOST) this.#socket.destroy(new Error('it takes no frames'));
    return id;
  }

  /** What drachtio-srf calls once it is connected. */
  startPinging(): void {
    this.#pings = setInterval(() => {
      this.#unanswered += 1;
      if (this.#unanswered > UNANSWERED_MOST) this.#socket.destroy(new Error('it does not answer'));
      else this.send(this.#socket, 'ping');
    }, PING_MS);
  }

  /** What drachtio-srf calls to hang up. */
  disconnect(): void {
    this.#socket.destroySoon();
  }

  #receive(bytes: Buffer): void {
    try {
      for (const payload of this.#reader.feed(bytes)) this.#take(payload.toString());
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  #take(payload: string): void {
    this.#unanswered = 0;
    const [, type, ...tokens] = payload.slice(0, lineEnd(payload)).split('|');
    if (type === 'response') this.#queue?.answered(tokens[0] ?? '');
    if (type === 'response' && tokens[2] === 'pong') return;
    this.heardAt = performance.now();
    const message = payload.slice(lineEnd(payload) + 2);
    if (type === 'sip') this.#takeMessage(tokens, message, payload);
    else if (type === 'response') this.#takeAnswer(tokens, message, payload);
    else this.#options.log.info({ bytes: payload.length }, 'the SIP engine sent a frame of an unknown kind');
  }

  #takeMessage(tokens: string[], message: string, payload: string): void {
    if (!this.#options.limited) this.#options.onFrame(payload);
    else if (isTooLong(message)) this.#refuse(tokens, message, 'message_too_large');
    else if (!isReadable(message)) this.#refuse(tokens, message, 'bad_request');
    else this.#options.onFrame(payload);
  }

  /** To a frame of ours; what was sent for it comes back as it looked on the wire. */
  #takeAnswer([id = '', outcome]: string[], message: string, payload: string): void {
    const isEcho = this.#options.limited && outcome === 'OK' && message !== '';
    if (!isEcho || isReadable(message)) this.#options.onFrame(payload);
    else {
      this.#options.log.info({ bytes: message.length }, 'what the SIP engine sent for us is not readable');
      this.#options.onFrame(`|response|${id}|NO|not readable`);
    }
  }

  /** Without drachtio-srf; the server writes the rest of the answer itself. */
  #refuse(tokens: string[], message: string, code: Unfit): void {
    const [source = '', , , address = '', port = '', , transaction = ''] = tokens;
    if (source !== 'network' || /^(SIP\/|ACK |CANCEL )/.test(message)) {
      this.#options.log.info({ source: address, bytes: message.length, code }, 'a SIP message was dropped');
      return;
    }
    const { status } = refusals[code];
    this.send(this.#socket, `sip|${transaction}|\r\nSIP/2.0 ${status} ${phrases[code]}\r\n\r\n`);
    const [method = '', called = ''] = message.slice(0, lineEnd(message)).split(' ');
    const call_id = /^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]{1,256})/im.exec(message)?.[1] ?? '';
    const what = { method: method.slice(0, 32), call_id, called, detail: `${message.length} characters` };
    this.#options.onRefused({ code, status, source: `${address}:${port}`, ...what });
  }
}

/** drachtio-srf joins several challenges in one field, where RFC 3261 §7.3.1 wants a field for each. */
const separateChallenges = (text: string): string =>
  text.replace(/^(www-authenticate: *)(.*)$/im, (_, name: string, challenges: string) =>
    challenges
      .split(/, *(?=Digest )/i)
      .map((challenge) => name + challenge)
      .join('\r\n'),
  );

/** Where the first line of a frame ends. */
const lineEnd = (payload: string): number => {
  const end = payload.indexOf('\r');
  return end === -1 ? payload.length : end;
};
