import type { Clock } from '../clock.ts';
import type { DialectName } from '../config/pipeline.ts';
import type { KeyPress } from '../dtmf.ts';
import { Refusal } from '../errors.ts';
import { type Role, rolesOf } from '../roles.ts';
import type { Log } from '../telemetry/log.ts';
import { Channel } from './channel.ts';
import type { Dialect, Failure, PipelineMessage } from './dialect.ts';
import { LinkAudio } from './link-audio.ts';
import {
  type LegAudio,
  type LinkOptions,
  type LinkState,
  type LinkStats,
  PASSTHROUGH_AFTER_MS,
  type PipelineLink,
} from './pipeline-link.ts';
import type { Ticker } from './ticker.ts';

/** How often the deadlines of a link that is closing are looked at. */
const IDLE_MS = 10;

/** What links have in common. */
export interface LinkSettings {
  dialect: Dialect;
  /** How long a link that is down is opened again. */
  reconnectSeconds: number;
  clock: Clock;
  log: Log;
}

/** Since when the link is down, monotonic ms, what was lost before, and what is resent where it is up again. */
interface Outage {
  readonly since: number;
  readonly lostMsBefore: number;
  resentMs: number;
  /** Why the last attempt failed. */
  detail: string;
  /** What was queued to be played is dropped: the parties hear each other. */
  passed: boolean;
}

/** The link of one bridge: its one or two channels as one thing that is up or down, and where their messages go. */
export class Link implements PipelineLink {
  readonly #settings: LinkSettings;
  readonly #options: LinkOptions;
  readonly #ticker: Ticker<Link>;
  readonly #channels: readonly Channel[];
  readonly #audio: LinkAudio;
  readonly #log: Log;
  readonly #counters = newCounters();
  readonly #opening = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  /** Channels that are open or being opened. */
  #open = 0;
  #state: LinkState | 'new' = 'new';
  #outage: Outage | undefined;
  /** When the frame came that is being read, monotonic ms. */
  #cameAt = 0;

  constructor(settings: LinkSettings, options: LinkOptions, ticker: Ticker<Link>) {
    this.#settings = settings;
    this.#options = options;
    this.#ticker = ticker;
    this.#log = settings.log.child({ session: options.sessionId });
    const { dialect, clock } = settings;
    const speakers = rolesOf(options.mode);
    const ways = dialect.connections === 'shared' ? [speakers] : speakers.map((role) => [role]);
    this.#channels = ways.map((way) => this.#channel(way));
    const { mode } = options;
    this.#audio = new LinkAudio({ mode, dialect, clock, channels: this.#channels, counters: this.#counters });
  }

  get dialect(): DialectName {
    return this.#settings.dialect.name;
  }

  get state(): LinkState {
    return this.#state === 'new' ? 'connecting' : this.#state;
  }

  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state !== 'new') throw new Error('a pipeline link is opened once');
    const abort = () => this.#fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    this.#state = 'connecting';
    this.#ticker.add(this);
    try {
      this.#open = this.#channels.length;
      for (const channel of this.#channels) channel.open();
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
    const downMs = this.#outage === undefined ? 0 : this.#now() - this.#outage.since;
    const { queuedMs } = this.#audio;
    return { ...this.#counters, queuedMs, downMs: this.#counters.downMs + downMs };
  }

  async close(ended: boolean): Promise<void> {
    if (this.#state === 'connecting') this.#fail(new Refusal('pipeline_unavailable', 'the link was closed'));
    if (this.#state === 'up' || this.#state === 'down') {
      if (ended) this.#audio.flush();
      this.#end((channel) => channel.close(ended));
    }
    this.#state = 'over';
    if (this.#open > 0) await this.#closed.promise;
  }

  /** Called by the ticker from `open` to the end. */
  tick(now: number): number {
    for (const channel of this.#channels) channel.tick(now);
    if (this.#state === 'over') return IDLE_MS;
    if (this.#outage !== undefined) this.#bear(this.#outage, now);
    return this.#audio.tick(now);
  }

  #channel(speakers: readonly Role[]): Channel {
    const { dialect, clock } = this.#settings;
    const channel: Channel = new Channel(
      { dialect, session: this.#options, speakers, clock },
      {
        onUp: () => this.#onUp(channel),
        onDown: (failure) => this.#onDown(channel, failure),
        onFailed: (failure) => this.#onFailed(failure),
        onMessage: (message) => this.#handle(message, channel),
        onFrame: (bytes) => {
          this.#counters.bytesReceived += bytes;
          this.#cameAt = clock.monotonic();
        },
        onPing: () => this.#audio.pinged(channel),
        onPong: (roundTripMs) => {
          this.#counters.pingMs = roundTripMs;
          this.#audio.answered(channel);
        },
        onOver: () => this.#onOver(),
      },
    );
    return channel;
  }

  #handle(message: PipelineMessage, from: Channel): void {
    switch (message.type) {
      case 'audio':
        this.#counters.outputsReceived++;
        // The other direction is missing, and the parties hear each other.
        if (this.#outage?.passed) break;
        this.#note(this.#audio.play(message, this.#cameAt));
        break;
      case 'error':
        this.#counters.errors++;
        this.#options.onEvent(message);
        break;
      case 'transcript':
        this.#options.onEvent(message);
        break;
      case 'ended':
        this.#onEnded(message);
        break;
      case 'clear':
        this.#note(this.#audio.clear(message.speaker));
        break;
      case 'mark':
        this.#note(this.#audio.mark(message, from));
        break;
      case 'unknown':
        this.#counters.unknownFrames++;
        break;
      case 'invalid':
        this.#note(message.problem);
    }
  }

  #onUp(channel: Channel): void {
    const resentMs = this.#audio.connected(channel);
    if (this.#outage !== undefined) this.#outage.resentMs += resentMs;
    if (!this.#channels.every((one) => one.isUp)) return;
    if (this.#state === 'connecting') {
      this.#state = 'up';
      this.#log.debug('pipeline link ready');
      this.#opening.resolve();
    } else if (this.#outage !== undefined) {
      this.#recover(this.#outage);
    }
  }

  /** One direction is missing: the link as a whole is down, because half a translation helps neither party. */
  #onDown(channel: Channel, failure: Failure): void {
    const lostMsBefore = this.#counters.lostMs;
    this.#audio.disconnected(channel);
    if (this.#state === 'connecting') this.#onFailed(failure);
    if (this.#state !== 'up') return;
    const { detail } = failure;
    this.#state = 'down';
    this.#outage = { since: this.#now(), lostMsBefore, resentMs: 0, detail, passed: false };
    this.#options.onEvent({ type: 'down', detail });
    if (this.#outage === undefined) return;
    if (failure.permanent) this.#onFailed(failure);
    else this.#bear(this.#outage, this.#now());
  }

  /** An attempt came to nothing. */
  #onFailed({ detail, permanent }: Failure): void {
    if (this.#outage !== undefined) this.#outage.detail = detail;
    const { keepTrying } = this.#options;
    if (keepTrying) this.#options.onEvent({ type: 'failed', detail });
    else if (this.#state === 'connecting') this.#fail(new Refusal('pipeline_unavailable', detail));
    else if (permanent && this.#state === 'down') this.#lose(detail);
  }

  #recover(outage: Outage): void {
    this.#endOutage(outage);
    this.#state = 'up';
    this.#counters.reconnects++;
    const outageMs = this.#now() - outage.since;
    const lostMs = this.#counters.lostMs - outage.lostMsBefore;
    this.#options.onEvent({ type: 'up', outageMs, resentMs: outage.resentMs, lostMs });
  }

  /** What an outage comes to with time: what is queued becomes stale, and in the end the link is given up. */
  #bear(outage: Outage, now: number): void {
    const downMs = now - outage.since;
    if (!this.#options.keepTrying) {
      if (downMs >= this.#settings.reconnectSeconds * 1000) this.#lose(outage.detail);
    } else if (!outage.passed && downMs >= PASSTHROUGH_AFTER_MS) {
      outage.passed = true;
      this.#audio.clearAll();
    }
  }

  #endOutage({ since }: Outage): void {
    this.#outage = undefined;
    this.#counters.downMs += this.#now() - since;
  }

  #lose(detail: string): void {
    this.#end((channel) => channel.end());
    this.#options.onEvent({ type: 'lost', detail });
  }

  /** The pipeline ends the session: it is not lost. */
  #onEnded(message: Extract<PipelineMessage, { type: 'ended' }>): void {
    if (this.#state === 'over') return;
    this.#end((channel) => channel.close(false));
    this.#options.onEvent(message);
  }

  #fail(reason: unknown): void {
    if (this.#state !== 'connecting') return;
    this.#end((channel) => channel.end());
    this.#opening.reject(reason);
  }

  #end(how: (channel: Channel) => void): void {
    if (this.#outage !== undefined) this.#endOutage(this.#outage);
    this.#state = 'over';
    for (const channel of this.#channels) how(channel);
  }

  #onOver(): void {
    this.#open--;
    if (this.#open > 0) return;
    this.#ticker.remove(this);
    this.#closed.resolve();
  }

  /** Counts a frame that has a problem. */
  #note(problem: string | undefined): void {
    if (problem === undefined) return;
    this.#counters.invalidFrames++;
    this.#log.debug({ problem }, 'unusable frame from the pipeline');
  }

  #now(): number {
    return this.#settings.clock.monotonic();
  }
}

const newCounters = (): LinkStats => ({
  ...{ chunksSent: 0, bytesSent: 0, outputsReceived: 0, bytesReceived: 0 },
  ...{ inputDroppedMs: 0, outputDroppedMs: 0, trimmedMs: 0, queuedMs: 0 },
  ...{ invalidFrames: 0, unknownFrames: 0, errors: 0, pingMs: -1 },
  ...{ reconnects: 0, downMs: 0, resentMs: 0, lostMs: 0 },
});
