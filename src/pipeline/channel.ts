import type { Clock } from '../clock.ts';
import type { KeyPress } from '../dtmf.ts';
import type { Role } from '../roles.ts';
import { Backoff } from './backoff.ts';
import { Connection } from './connection.ts';
import {
  type Conversation,
  type Dialect,
  type DialectSession,
  type Failure,
  type LegState,
  PermanentFailure,
  type PipelineMessage,
  type SpeechChunk,
} from './dialect.ts';
import { KeepAlive } from './keep-alive.ts';

const READY_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 1000;

export interface ChannelOptions {
  dialect: Dialect;
  session: DialectSession;
  /** Whose speech goes this way. */
  speakers: readonly Role[];
  clock: Clock;
}

/** What the owner is told. It may end the channel from within any of these. */
export interface ChannelHandlers {
  /** The pipeline is ready, for the first time or again. */
  onUp(): void;
  /** It was ready and is not; the channel goes on trying. */
  onDown(failure: Failure): void;
  /** An attempt came to nothing; the channel goes on trying. */
  onFailed(failure: Failure): void;
  onMessage(message: PipelineMessage): void;
  /** A frame of so many bytes came, before it is read. */
  onFrame(bytes: number): void;
  onPing(): void;
  onPong(roundTripMs: number): void;
  /** Nothing more comes, and nothing is open. */
  onOver(): void;
}

type State = 'new' | 'waiting' | 'connecting' | 'up' | 'closing' | 'over';

/** One way to the pipeline, kept open over as many connections as it takes, until it is ended. */
export class Channel {
  readonly speakers: readonly Role[];
  readonly #options: ChannelOptions;
  readonly #handlers: ChannelHandlers;
  readonly #backoff = new Backoff();
  #state: State = 'new';
  #connection: Connection | undefined;
  /** Connections that are not closed yet, dropped ones included. */
  #open = 0;
  #conversation: Conversation | undefined;
  #keepAlive: KeepAlive | undefined;
  /** When the state is over, monotonic ms: waiting, connecting and closing. */
  #due = 0;
  #downSince = 0;

  constructor(options: ChannelOptions, handlers: ChannelHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.speakers = options.speakers;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Bytes that were sent but that the network has not taken yet. */
  get bufferedBytes(): number {
    return this.#connection?.bufferedBytes ?? 0;
  }

  /** Makes the first attempt, unless it was ended before. */
  open(): void {
    if (this.#state !== 'new') return;
    this.#downSince = this.#now();
    this.#connect();
  }

  /** Called every few ms from `open` to the end. @param now monotonic, ms */
  tick(now: number): void {
    if (this.#state === 'up') {
      const due = this.#keepAlive?.check(now);
      if (due === 'ping') this.#ping();
      else if (due === 'lost') this.#gone('a ping was not answered');
    } else if (now < this.#due) {
      return;
    } else if (this.#state === 'waiting') {
      this.#connect();
    } else if (this.#state === 'connecting') {
      this.#gone(`not ready within ${READY_TIMEOUT_MS} ms`);
    } else if (this.#state === 'closing') {
      this.#connection?.terminate();
    }
  }

  /** @returns bytes sent; 0 while it is not up */
  sendSpeech(speaker: Role, chunk: SpeechChunk): number {
    const conversation = this.#upConversation;
    const bytes = this.#send(conversation?.speech(speaker, chunk));
    if (conversation !== undefined) this.#conclude(conversation, false);
    return bytes;
  }

  tellLegChange(role: Role, state: LegState): void {
    const conversation = this.#upConversation;
    this.#send(conversation?.legChange(role, state));
    if (conversation?.isSpent) this.#connection?.close();
  }

  tellKeyPress(speaker: Role, press: KeyPress): void {
    this.#send(this.#upConversation?.keyPress(speaker, press));
  }

  tellMark(name: string, played: boolean): void {
    this.#send(this.#upConversation?.markReached(name, played));
  }

  /** Ends it in good order. @param ended the pipeline is told that the session is over, and may say that it heard */
  close(ended: boolean): void {
    if (this.#state !== 'up') {
      this.end();
      return;
    }
    const farewell = ended ? this.#conversation?.end() : undefined;
    this.#send(farewell);
    if (farewell === undefined || !this.#conversation?.answersEnd) this.#connection?.close();
    this.#startClosing();
  }

  /** Ends it at once. Idempotent. */
  end(): void {
    if (this.#state === 'over' || this.#state === 'closing') return;
    this.#drop();
    this.#state = 'over';
    this.#tellOver();
  }

  /** Before it is up, nothing is written: a dialect may take what it has written for sent. */
  get #upConversation(): Conversation | undefined {
    return this.#state === 'up' ? this.#conversation : undefined;
  }

  #connect(): void {
    const { dialect, session, clock } = this.#options;
    this.#state = 'connecting';
    this.#due = this.#now() + READY_TIMEOUT_MS;
    try {
      const conversation = dialect.connect(session, this.speakers, clock.now());
      this.#conversation = conversation;
      this.#connection = this.#connectTo(conversation);
    } catch (error) {
      this.#gone((error as Error).message, error instanceof PermanentFailure);
    }
  }

  #connectTo(conversation: Conversation): Connection {
    // What still comes of a connection that was dropped is nobody's.
    const ofThis = (act: () => void) => () => {
      if (this.#connection === connection) act();
    };
    const connection: Connection = new Connection(conversation, {
      onOpen: ofThis(() => this.#onOpen(conversation)),
      onText: (frame) => {
        if (this.#connection === connection) this.#onText(conversation, frame);
      },
      onBinary: ofThis(() => this.#handlers.onMessage({ type: 'invalid', problem: 'a binary frame' })),
      onPong: ofThis(() => this.#onPong()),
      onClosed: (detail, status, code) => {
        this.#open--;
        const meaning = status === undefined ? undefined : conversation.refused(status);
        const hangsUp = code !== undefined && this.#state === 'up' && conversation.hangsUp(code);
        // Whoever is told of it closes this side.
        if (this.#connection === connection && hangsUp)
          this.#handlers.onMessage({ type: 'ended', reason: detail, hangup: true });
        if (this.#connection === connection) this.#onClosed(meaning ?? { detail, permanent: false });
        this.#tellOver();
      },
    });
    this.#open++;
    return connection;
  }

  #onOpen({ greeting, readyWhenOpen }: Conversation): void {
    for (const text of greeting) this.#connection?.send(text);
    if (readyWhenOpen) this.#onReady();
  }

  #onText(conversation: Conversation, frame: Buffer): void {
    this.#handlers.onFrame(frame.length);
    const message = conversation.read(frame);
    if (message.type === 'ready') this.#onReady();
    else if (message.type === 'pong') this.#onPong();
    else if (message.type === 'ended') this.#onEnded(message, conversation);
    else if (message.type === 'failed') this.#onClosed(message);
    // What was said last is understood after our own good-bye.
    else if (this.#state !== 'closing' || message.type === 'transcript') this.#handlers.onMessage(message);
    if (this.#conversation === conversation) this.#conclude(conversation, false);
  }

  #conclude(conversation: Conversation, over: boolean): void {
    const concluded = conversation.concluded(over);
    if (concluded !== undefined) this.#handlers.onMessage(concluded);
  }

  #onReady(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'up';
    this.#keepAlive = new KeepAlive(this.#now());
    this.#handlers.onUp();
  }

  #onPong(): void {
    const roundTripMs = this.#keepAlive?.answered(this.#now());
    if (roundTripMs === undefined) return;
    this.#backoff.reset();
    this.#handlers.onPong(roundTripMs);
  }

  /** The pipeline ends the session, by itself or because we did: whoever closes the socket now, it is not lost. */
  #onEnded(message: Extract<PipelineMessage, { type: 'ended' }>, conversation: Conversation): void {
    if (this.#state === 'connecting') {
      this.#gone(`the pipeline ended the session: ${message.reason}`);
      return;
    }
    this.#connection?.close();
    this.#conclude(conversation, true);
    if (this.#state === 'closing') return;
    this.#startClosing();
    this.#handlers.onMessage(message);
  }

  #startClosing(): void {
    this.#state = 'closing';
    this.#due = this.#now() + CLOSE_TIMEOUT_MS;
  }

  #onClosed({ detail, permanent }: Failure): void {
    if (this.#state === 'closing') {
      this.#drop();
      this.#state = 'over';
    } else {
      this.#gone(detail, permanent);
    }
  }

  #ping(): void {
    const text = this.#conversation?.ping();
    this.#handlers.onPing();
    if (text === undefined) this.#connection?.ping();
    else this.#connection?.send(text);
  }

  /** The connection is of no use, or there is none: the next attempt follows. */
  #gone(detail: string, permanent = false): void {
    const wasUp = this.#state === 'up';
    this.#drop();
    const now = this.#now();
    if (wasUp) this.#downSince = now;
    this.#state = 'waiting';
    this.#due = now + this.#backoff.next(now - this.#downSince, permanent);
    if (wasUp) this.#handlers.onDown({ detail, permanent });
    else this.#handlers.onFailed({ detail, permanent });
  }

  #tellOver(): void {
    if (this.#state === 'over' && this.#open === 0) this.#handlers.onOver();
  }

  #drop(): void {
    const connection = this.#connection;
    const conversation = this.#conversation;
    this.#connection = undefined;
    this.#conversation = undefined;
    this.#keepAlive = undefined;
    connection?.terminate();
    if (conversation !== undefined) this.#conclude(conversation, true);
  }

  #send(text: string | undefined): number {
    if (text === undefined) return 0;
    this.#connection?.send(text);
    return text.length;
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}
