import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { FrameReader } from '../../src/drachtio-frames.ts';

/** One frame of an application: `type`, the tokens behind it, and the SIP text. */
export interface AppFrame {
  id: string;
  type: string;
  tokens: string[];
  sip: string;
}

/** The drachtio-server's end of a connection, by hand. It notes what the application sends, and takes one secret. */
export class DrachtioPeer {
  readonly frames: AppFrame[] = [];
  readonly #socket: Socket;
  readonly #secret: string;
  readonly #reader = new FrameReader(65_536);
  /** Whether what is not `authenticate` gets its OK at once. */
  answering = true;

  constructor(socket: Socket, secret = 'cymru') {
    this.#socket = socket;
    this.#secret = secret;
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      for (const payload of this.#reader.feed(bytes)) this.#take(payload.toString());
    });
  }

  /** Waits for a frame that fits. @throws Error with what came, after 5 s */
  async next(what: string, fits: (frame: AppFrame) => boolean): Promise<AppFrame> {
    const until = performance.now() + 5000;
    for (;;) {
      const found = this.frames.find(fits);
      if (found) return found;
      if (performance.now() > until)
        throw new Error(`no ${what}; there were ${this.frames.map(({ type, sip }) => `${type} ${sip}`)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** The response with this status that the application sent on a transaction. */
  answerTo(transaction: string, status: number): Promise<AppFrame> {
    const start = `SIP/2.0 ${status} `;
    return this.next(
      `${status} to ${transaction}`,
      ({ tokens, sip }) => tokens[0] === transaction && sip.startsWith(start),
    );
  }

  /** Passes a SIP message of the network on. */
  deliver({ transaction, dialog = '', sip }: { transaction: string; dialog?: string; sip: string }): void {
    const meta = [
      'sip',
      'network',
      sip.length,
      'udp',
      '127.0.0.1',
      5090,
      '11:12:34.250055',
      transaction,
      dialog,
    ];
    this.#send([...meta, ...(dialog === '' ? ['127.0.0.1', 5070] : []), ''], sip);
  }

  /** Says that a response was sent, and how it looked on the wire. */
  confirm({ id, tokens }: AppFrame, dialog: string, sip: string): void {
    const meta = ['application', sip.length, 'udp', '127.0.0.1', 5090, '11:12:34.250055', tokens[0], dialog];
    this.#send(['response', id, 'OK', ...meta, '', 'Msg sent:', ''], sip);
  }

  /** Writes what is no frame. */
  raw(text: string): void {
    this.#socket.write(text);
  }

  #take(payload: string): void {
    const end = payload.indexOf('\r\n');
    const [id = '', type = '', ...tokens] = (end === -1 ? payload : payload.slice(0, end)).split('|');
    const frame = { id, type, tokens, sip: end === -1 ? '' : payload.slice(end + 2) };
    this.frames.push(frame);
    if (type === 'authenticate') this.#authenticate(frame);
    else if (this.answering && type !== 'sip')
      this.#send(['response', id, 'OK', ...(type === 'ping' ? ['pong'] : [])]);
  }

  #authenticate({ id, tokens }: AppFrame): void {
    // Behind a NAT (`--external-ip`): where its peers find it, and where it listens.
    const local = 'tcp/127.0.0.1:5070,udp/127.0.0.1:5070';
    if (tokens[0] === this.#secret) {
      this.#send(['response', id, 'OK', local.replaceAll('127.0.0.1', '203.0.113.7'), 'v0.9.10', local]);
      return;
    }
    this.#send(['response', id, 'NO', 'incorrect secret']);
    this.#socket.end();
  }

  #send(tokens: readonly unknown[], sip?: string): void {
    const payload = `${randomUUID()}|${tokens.join('|')}${sip === undefined ? '' : `\r\n${sip}`}`;
    this.#socket.write(`${Buffer.byteLength(payload)}#${payload}`);
  }
}
