import { WebSocket } from 'ws';

/** A larger message ends the connection (close code 1009), so that a peer cannot make us hold more than this. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Audio stops long before this much waits to be sent; a peer that still makes us answer and does not read is dropped. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
const HANDSHAKE_TIMEOUT_MS = 5000;
/** Some firewalls refuse an upgrade without it. */
const USER_AGENT = 'kallglot-sip-gateway';

export interface ConnectionTarget {
  url: string;
  headers: Readonly<Record<string, string>>;
}

export interface ConnectionHandlers {
  onOpen(): void;
  onText(frame: Buffer): void;
  onBinary(): void;
  /** A ping frame was answered. */
  onPong(): void;
  /**
   * Called once, whatever ended the connection: a failed upgrade, a reset, a protocol error, a close from either side.
   * @param status the HTTP status that answered the upgrade, where it was refused
   */
  onClosed(detail: string, status: number | undefined): void;
}

/** One WebSocket to the pipeline, from the upgrade request to its end. It knows no messages and keeps no time. */
export class Connection {
  readonly #socket: WebSocket;
  #failure: string | undefined;
  #status: number | undefined;

  /** @throws when the URL or a header cannot be sent */
  constructor({ url, headers }: ConnectionTarget, handlers: ConnectionHandlers) {
    this.#socket = new WebSocket(url, {
      headers: { 'User-Agent': USER_AGENT, ...headers },
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      // Text that is not UTF-8 is then not JSON either: it costs one message, not the connection.
      skipUTF8Validation: true,
    });
    this.#socket.on('open', () => handlers.onOpen());
    this.#socket.on('pong', () => handlers.onPong());
    this.#socket.on('message', (data, isBinary) => {
      if (isBinary) handlers.onBinary();
      else handlers.onText(data as Buffer);
    });
    this.#socket.on('unexpected-response', (_request, { statusCode }) => {
      this.#status = statusCode;
      this.#failure = `Unexpected server response: ${statusCode}`;
      this.#socket.terminate();
    });
    this.#socket.on('error', (error: Error & { code?: string }) => {
      this.#failure ??= error.message || error.code || error.name;
    });
    this.#socket.on('close', (code, reason) => {
      handlers.onClosed(this.#failure ?? `closed with ${code} ${reason.toString()}`.trim(), this.#status);
    });
  }

  /** Bytes that were sent but that the network has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends a text message; without effect once the connection is closing. */
  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#failure ??= 'the peer does not read';
      this.#socket.terminate();
      return;
    }
    // As bytes, because ws then hands header and payload to the system in one piece.
    this.#socket.send(Buffer.from(text), { binary: false });
  }

  /** Sends a ping frame; without effect once the connection is closing. */
  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  /** Starts the closing handshake. The peer may take its time: the owner terminates when that is too long. */
  close(): void {
    this.#socket.close(1000);
  }

  /** Drops the connection at once, also while it is being set up. */
  terminate(): void {
    this.#socket.terminate();
  }
}
