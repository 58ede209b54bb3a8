import type { Clock } from '../clock.ts';
import type { KeyPress } from '../dtmf.ts';
import { Refusal } from '../errors.ts';
import type { Role } from '../roles.ts';
import { signToken } from '../session-token.ts';
import type { Log } from '../telemetry/log.ts';
import { Connection } from './connection.ts';
import { type PipelineMessage, ping, readMessage, sessionEnd } from './kallglot-dialect.ts';
import { KeepAlive } from './keep-alive.ts';
import { LinkAudio } from './link-audio.ts';
import type { LegAudio, LinkOptions, LinkState, LinkStats, PipelineLink } from './pipeline-link.ts';
import type { Ticker } from './ticker.ts';

const READY_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 1000;
/** How often the deadlines of a link that is not ready are looked at. */
const IDLE_MS = 10;

/** What all links of the gateway have in common. */
export interface LinkSettings {
  /** With `{session_id}` and `{token}` where they belong. */
  url: string;
  tokenSecret: string;
  chunkMs: number;
  extensions: boolean;
  /** How long a link that is down is opened again. */
  reconnectSeconds: number;
  clock: Clock;
  log: Log;
}

/** `over` = there is nothing more to come: closed, lost, or never ready. */
type State = 'new' | 'connecting' | 'ready' | 'closing' | 'over';

/** The link of one bridge: owns the connection and its life, and hands messages and audio on. */
export class Link implements PipelineLink {
  readonly #settings: LinkSettings;
  readonly #options: LinkOptions;
  readonly #ticker: Ticker<Link>;
  dueAt = 0;
  readonly #audio: LinkAudio;
  readonly #log: Log;
  readonly #counters: LinkStats = {
    chunksSent: 0,
    bytesSent: 0,
    outputsReceived: 0,
    bytesReceived: 0,
    inputDroppedMs: 0,
    outputDroppedMs: 0,
    trimmedMs: 0,
    invalidFrames: 0,
    unknownFrames: 0,
    pingMs: -1,
    queuedMs: 0,
    reconnects: 0,
    downMs: 0,
    resentMs: 0,
    lostMs: 0,
  };
  readonly #opening = Promise.withResolvers<void>();
  readonly #socketClosed = Promise.withResolvers<void>();
  #state: State = 'new';
  #connection: Connection | undefined;
  #keepAlive: KeepAlive | undefined;
  /** When the state may last no longer, monotonic ms: connecting and closing. */
  #deadline = 0;

  constructor(settings: LinkSettings, options: LinkOptions, ticker: Ticker<Link>) {
    this.#settings = settings;
    this.#options = options;
    this.#ticker = ticker;
    this.#log = settings.log.child({ session: options.sessionId });
    this.#audio = new LinkAudio({
      mode: options.mode,
      chunkMs: settings.chunkMs,
      extensions: settings.extensions,
      counters: this.#counters,
      clock: settings.clock,
    });
  }

  get state(): LinkState {
    if (this.#state === 'new' || this.#state === 'connecting') return 'connecting';
    return this.#state === 'ready' ? 'up' : 'over';
  }

  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state !== 'new') throw new Error('a pipeline link is opened once');
    const abort = () => this.#fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      this.#connect();
      await this.#opening.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  attach(role: Role, audio: LegAudio): void {
    this.#audio.attach(role, audio);
  }

  detach(role: Role): void {
    this.#audio.detach(role);
  }

  startPlaying(role: Role): void {
    this.#audio.startPlaying(role);
  }

  setHeld(role: Role, held: boolean): void {
    this.#audio.setHeld(role, held);
  }

  keyPressed(role: Role, press: KeyPress): void {
    this.#audio.keyPressed(role, press);
  }

  stats(): LinkStats {
    return { ...this.#counters, queuedMs: this.#audio.queuedMs };
  }

  async close(ended: boolean): Promise<void> {
    if (this.#state === 'new') this.#state = 'over';
    if (this.#state === 'connecting') this.#fail(new Refusal('pipeline_unavailable', 'the link was closed'));
    if (this.#state === 'ready') {
      if (ended) this.#connection?.send(sessionEnd);
      else this.#connection?.close();
      this.#startClosing();
    }
    if (this.#connection !== undefined) await this.#socketClosed.promise;
  }

  /** Called by the ticker from `open` to the end. */
  tick(now: number, wallClock: number): number {
    if (this.#state === 'ready') {
      this.#keepConnectionAlive(now);
      return this.#audio.tick(wallClock);
    }
    if (now >= this.#deadline) {
      if (this.#state === 'connecting') {
        this.#fail(new Refusal('pipeline_unavailable', `no session.ready within ${READY_TIMEOUT_MS} ms`));
      } else {
        this.#connection?.terminate();
      }
    }
    return IDLE_MS;
  }

  #connect(): void {
    const { url, tokenSecret, clock } = this.#settings;
    const token = signToken(tokenSecret, this.#options.sessionId, clock.now());
    try {
      this.#connection = new Connection(
        fillIn(url, this.#options.sessionId, token),
        upgradeHeaders(this.#options),
        {
          onText: (frame) => this.#read(frame),
          onBinary: () => this.#note('a binary frame'),
          onClosed: (detail) => this.#onClosed(detail),
        },
      );
    } catch (error) {
      this.#state = 'over';
      throw new Refusal('pipeline_unavailable', (error as Error).message);
    }
    this.#state = 'connecting';
    this.#deadline = clock.monotonic() + READY_TIMEOUT_MS;
    this.#ticker.add(this);
  }

  #read(frame: Buffer): void {
    const cameAt = this.#settings.clock.monotonic();
    this.#counters.bytesReceived += frame.length;
    const message = readMessage(frame, this.#settings.extensions);
    if (this.#state === 'connecting' || this.#state === 'ready') this.#handle(message, cameAt);
    else if (this.#state === 'closing') this.#handleLast(message);
  }

  #handle(message: PipelineMessage, cameAt: number): void {
    switch (message.type) {
      case 'audio':
        this.#counters.outputsReceived++;
        this.#note(this.#audio.play(message, cameAt));
        break;
      case 'ready':
        this.#onReady();
        break;
      case 'pong':
        this.#onPong();
        break;
      case 'transcript':
      case 'error':
        this.#options.onEvent(message);
        break;
      case 'ended':
        this.#onEnded(message.reason);
        break;
      case 'clear':
        this.#note(this.#audio.clear(message.speaker));
        break;
      case 'mark':
        this.#note(this.#audio.mark(message));
        break;
      case 'unknown':
        this.#counters.unknownFrames++;
        break;
      case 'invalid':
        this.#note(message.problem);
    }
  }

  /** What was said last is understood after our own `session.end`, and its answer comes after that. */
  #handleLast(message: PipelineMessage): void {
    if (message.type === 'ended') this.#connection?.close();
    else if (message.type === 'transcript') this.#options.onEvent(message);
  }

  #onReady(): void {
    if (this.#state !== 'connecting' || this.#connection === undefined) return;
    this.#state = 'ready';
    this.#keepAlive = new KeepAlive(this.#settings.clock.monotonic());
    this.#audio.connect(this.#connection);
    this.#log.debug('pipeline link ready');
    this.#opening.resolve();
  }

  #onPong(): void {
    this.#counters.pingMs =
      this.#keepAlive?.answered(this.#settings.clock.monotonic()) ?? this.#counters.pingMs;
  }

  /** The pipeline ends the session: whoever closes the socket now, it is not lost. */
  #onEnded(reason: string): void {
    if (this.#state === 'connecting') {
      this.#fail(new Refusal('pipeline_unavailable', `the pipeline ended the session: ${reason}`));
      return;
    }
    this.#connection?.close();
    this.#startClosing();
    this.#options.onEvent({ type: 'ended', reason });
  }

  #keepConnectionAlive(now: number): void {
    const due = this.#keepAlive?.check(now);
    if (due === 'ping') this.#connection?.send(ping);
    else if (due === 'lost') this.#lose('a ping was not answered');
  }

  #onClosed(detail: string): void {
    if (this.#state === 'connecting') this.#fail(new Refusal('pipeline_unavailable', detail));
    else if (this.#state === 'ready') this.#lose(detail);
    this.#end();
    this.#socketClosed.resolve();
  }

  #fail(reason: unknown): void {
    if (this.#state !== 'connecting') return;
    this.#end();
    this.#opening.reject(reason);
  }

  #lose(detail: string): void {
    this.#end();
    this.#log.debug({ detail }, 'pipeline link lost');
    this.#options.onEvent({ type: 'down', detail });
    this.#options.onEvent({ type: 'lost', detail });
  }

  #startClosing(): void {
    this.#state = 'closing';
    this.#audio.disconnect();
    this.#deadline = this.#settings.clock.monotonic() + CLOSE_TIMEOUT_MS;
  }

  #end(): void {
    this.#state = 'over';
    this.#audio.disconnect();
    this.#connection?.terminate();
    this.#ticker.remove(this);
  }

  /** Counts a frame that has a problem. */
  #note(problem: string | undefined): void {
    if (problem === undefined) return;
    this.#counters.invalidFrames++;
    this.#log.debug({ problem }, 'unusable frame from the pipeline');
  }
}

function fillIn(url: string, sessionId: string, token: string): string {
  return url
    .replaceAll('{session_id}', () => encodeURIComponent(sessionId))
    .replaceAll('{token}', () => encodeURIComponent(token));
}

function upgradeHeaders(options: LinkOptions): Record<string, string> {
  const headers: Record<string, string> = {
    'X-Kallglot-Session': options.sessionId,
    'X-Kallglot-Mode': options.mode,
  };
  if (options.sourceLanguage !== null) headers['X-Kallglot-Source-Language'] = options.sourceLanguage;
  if (options.targetLanguage !== null) headers['X-Kallglot-Target-Language'] = options.targetLanguage;
  return headers;
}
