import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import { FrameReader } from './websocket/frame-reader.ts';
import { FrameWriter } from './websocket/frame-writer.ts';
import { PING, PONG } from './websocket/opcodes.ts';
import { upgrade } from './websocket/upgrade.ts';

/** A larger message ends the connection (close code 1009), so that a peer cannot make us hold more than this. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Audio stops long before this much waits to be sent; a peer that still makes us answer and does not read is dropped. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** Some firewalls refuse an upgrade without it. */
const USER_AGENT = 'kallglot-sip-gateway';
/** Of all connections: what it has written is on its way, as a rule, when it returns. */
const writer = new FrameWriter();
const noBytes = Buffer.alloc(0);

export interface ConnectionTarget {
  url: string;
  headers: Readonly<Record<string, string>>;
}

export interface ConnectionHandlers {
  onOpen(): void;
  /** @param frame valid until it returns */
  onText(frame: Buffer): void;
  onBinary(): void;
  /** A ping frame was answered. */
  onPong(): void;
  /**
   * Called once, whatever ended the connection: a failed upgrade, a reset, a protocol error, a close from either side.
   * @param status the HTTP status that answered the upgrade, where it was refused
   * @param code what the peer has closed it with in good order, 1005 where it named none; undefined where it has not
   */
  onClosed(detail: string, status: number | undefined, code: number | undefined): void;
}

/**
 * One WebSocket to the pipeline, from the upgrade request to its end. It knows no messages and keeps no time: an upgrade
 * that takes too long is its owner's to end.
 *
 * Its frames are our own: a general library allocates a buffer for every read and several objects for every message,
 * which took a third of the time of a call's audio on this thread, and made the garbage collector pause for longer than
 * a chunk of speech may wait.
 */
export class Connection {
  readonly #handlers: ConnectionHandlers;
  readonly #request: ClientRequest;
  readonly #reader: FrameReader;
  #socket: Socket | undefined;
  /** Frames may be sent: it is open, and nobody has closed it. */
  #isOpen = false;
  /** A ping frame of ours has not been answered; any other pong is a server's own sign of life (RFC 6455 §5.5.3). */
  #isAsked = false;
  #hasClosed = false;
  #failure: string | undefined;
  #status: number | undefined;
  /** What the peer closed it with; 1006 where it did not. */
  #closedWith = '1006';
  #code: number | undefined;

  /** @throws when the URL or a header cannot be sent */
  constructor({ url, headers }: ConnectionTarget, handlers: ConnectionHandlers) {
    this.#handlers = handlers;
    this.#reader = new FrameReader(MAX_MESSAGE_BYTES, {
      onText: (message) => handlers.onText(message),
      onBinary: () => handlers.onBinary(),
      onPing: (payload) => this.#write(writer.control(PONG, payload)),
      onPong: () => this.#onPong(),
      onClose: (code, reason) => {
        this.#closedWith = `${code} ${reason}`.trim();
        this.#code = code;
        this.#finish(code === 1005 ? undefined : code);
      },
      onProblem: (code, problem) => {
        this.#failure ??= problem;
        this.#finish(code);
      },
    });
    this.#request = upgrade(
      { url, headers: { 'User-Agent': USER_AGENT, ...headers } },
      {
        onUpgraded: (socket) => this.#onUpgraded(socket),
        onBytes: (bytes) => this.#reader.push(bytes),
        onRefused: (status) => {
          this.#status = status;
          this.#failure ??= `Unexpected server response: ${status}`;
        },
        onFailed: (detail) => {
          this.#failure ??= detail;
        },
        onClosed: () => this.#onClosed(),
      },
    );
  }

  /** Bytes that were sent but that the network has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** Sends a text message; without effect once the connection is closing. */
  send(text: string): void {
    if (this.#isOpen) this.#write(writer.text(text));
  }

  /** Sends a ping frame; without effect once the connection is closing. */
  ping(): void {
    if (!this.#isOpen) return;
    this.#isAsked = true;
    this.#write(writer.control(PING, noBytes));
  }

  /** Starts the closing handshake. The peer may take its time: the owner terminates when that is too long. */
  close(): void {
    if (this.#socket === undefined) {
      this.terminate();
    } else if (this.#isOpen) {
      this.#write(writer.close(1000));
      this.#isOpen = false;
    }
  }

  /** Drops the connection at once, also while it is being set up. */
  terminate(): void {
    this.#isOpen = false;
    this.#reader.stop();
    if (this.#socket === undefined) this.#request.destroy();
    else this.#socket.destroy();
  }

  #onPong(): void {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    this.#handlers.onPong();
  }

  #onUpgraded(socket: Socket): void {
    this.#socket = socket;
    this.#isOpen = true;
    // A reset is told by its close.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClosed());
    this.#handlers.onOpen();
  }

  #onClosed(): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.#isOpen = false;
    this.#reader.stop();
    const code = this.#failure === undefined ? this.#code : undefined;
    this.#handlers.onClosed(this.#failure ?? `closed with ${this.#closedWith}`, this.#status, code);
  }

  #write(frame: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined || !this.#isOpen) return;
    if (socket.writableLength > MAX_BUFFERED_BYTES) {
      this.#failure ??= 'the peer does not read';
      this.terminate();
      return;
    }
    socket.write(frame);
    // Written in full it is copied; else the socket goes on with these very bytes.
    if (socket.writableLength > 0) writer.handOver();
  }

  /** The peer has closed it, or must not go on: it is answered, and what it still says is not read. */
  #finish(code: number | undefined): void {
    if (this.#isOpen) this.#write(writer.close(code));
    this.#isOpen = false;
    this.#socket?.end();
  }
}
