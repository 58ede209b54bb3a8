import { WebSocket } from 'ws';

/** More than this waits to be sent, or a ping so long for its answer: the client is behind, and audio is not added to it. */
const BEHIND_BYTES = 32 * 1024;
const BEHIND_MS = 1500;
/** A client that still makes us answer and does not read is dropped. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** How often a connection is to be checked. */
export const CHECK_MS = 1000;
/** Checks in a row after which a client that gives no sign of life is taken for gone. */
const LOST_AFTER_CHECKS = 30;
/** WebSocket pings and pongs of a client between two checks; each costs work, and an answer that may wait here. */
const CONTROL_FRAMES_MOST = 100;
/** How long a client may take to close its side. */
const CLOSING_MS = 2000;

export interface ConnectionHandlers {
  onMessage(frame: Buffer, isBinary: boolean): void;
  /** Called once, when it has ended. @param byClient undefined when we have closed it */
  onClosed(byClient: ClosedByClient | undefined): void;
}

interface ClosedByClient {
  /** Not as the protocol has it. */
  lost: boolean;
  detail: string;
}

/** The WebSocket of one client, which answers no pings by itself, from its upgrade to its end. It knows no messages. */
export class StreamConnection {
  readonly #socket: WebSocket;
  #unanswered = 0;
  #controlFrames = 0;
  #aliveAt = performance.now();
  /** Of the ping that waits for its answer; undefined = none, or it is not known that this client answers any. */
  #pingedAt: number | undefined;
  #answersPings = false;
  #failure: string | undefined;
  #closing = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('ping', (data) => {
      // One who does not read would have us keep the answers.
      if (this.#takeControlFrame() && socket.bufferedAmount <= BEHIND_BYTES) socket.pong(data);
    });
    socket.on('pong', () => {
      if (!this.#takeControlFrame()) return;
      this.#alive();
      this.#answersPings = true;
      this.#pingedAt = undefined;
    });
    socket.on('error', (error: Error & { code?: string }) => {
      this.#failure ??= error.message || error.code || error.name;
    });
  }

  /** What comes, from now on. */
  listen(handlers: ConnectionHandlers): void {
    const socket = this.#socket;
    socket.on('message', (data, isBinary) => {
      if (this.#closing) return;
      // One that only talks and never reads gives no sign of life.
      if (!this.isBehind) this.#alive();
      handlers.onMessage(data as Buffer, isBinary);
    });
    socket.on('close', (code, reason) => {
      const lost = code === 1006 || this.#failure !== undefined;
      const detail = this.#failure ?? `closed with ${code} ${reason.toString()}`.trim();
      handlers.onClosed(this.#closing ? undefined : { lost, detail });
    });
  }

  /** The network, or the client, does not take what is sent. The system alone holds seconds of it before any waits here. */
  get isBehind(): boolean {
    if (this.#socket.bufferedAmount > BEHIND_BYTES) return true;
    return this.#pingedAt !== undefined && performance.now() - this.#pingedAt > BEHIND_MS;
  }

  /** Sends a text message; without effect once the connection is closing. */
  send(text: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#drop('the client does not read');
      return;
    }
    // As bytes, because ws then hands header and payload to the system in one piece.
    this.#socket.send(Buffer.from(text), { binary: false });
  }

  /** ms since the last sign of life. */
  get silentForMs(): number {
    return performance.now() - this.#aliveAt;
  }

  /** Called every `CHECK_MS`: finds a client that is gone without a word. */
  check(): void {
    this.#controlFrames = 0;
    if (this.#closing || this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#unanswered >= LOST_AFTER_CHECKS) {
      this.#drop('the client gives no sign of life');
      return;
    }
    this.#unanswered++;
    if (this.#pingedAt !== undefined) return;
    if (this.#answersPings) this.#pingedAt = performance.now();
    this.#socket.ping();
  }

  /** Closes it from our side, idempotent: the handlers hear nothing any more. */
  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), CLOSING_MS).unref();
  }

  /** Drops it at once. */
  terminate(): void {
    this.#closing = true;
    this.#socket.terminate();
  }

  /** @returns false when there were too many, and the client is dropped */
  #takeControlFrame(): boolean {
    if (++this.#controlFrames <= CONTROL_FRAMES_MOST) return true;
    this.#drop('the client sends too many pings');
    return false;
  }

  #alive(): void {
    this.#unanswered = 0;
    this.#aliveAt = performance.now();
  }

  #drop(failure: string): void {
    this.#failure ??= failure;
    this.#socket.terminate();
  }
}
