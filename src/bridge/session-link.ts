import type { SessionId } from '../ids.ts';
import type { LinkEvent, LinkStats, PipelineLink, PipelineLinks } from '../pipeline/pipeline-link.ts';
import { rolesOf } from '../roles.ts';
import type { Session } from '../sessions/session.ts';
import type { Outage } from '../sessions/translation.ts';
import type { Log } from '../telemetry/log.ts';
import type { TranscriptSink } from './transcript-feed.ts';
import { Translation } from './translation.ts';

/** What the link of a session asks of the rest of the gateway. */
export interface SessionLinkContext {
  links: PipelineLinks;
  log: Log;
  now: () => number;
  /** What becomes of a session of two parties while its pipeline is missing. */
  onFailure: 'passthrough' | 'hangup';
  transcripts: TranscriptSink;
  linkClosed: (link: PipelineLink, stats: LinkStats, failure: 'unavailable' | 'lost' | undefined) => void;
  /** Something of a link is on its way out; the gateway waits for it when it stops. */
  closing: (session: SessionId, work: Promise<unknown> | undefined) => void;
}

export interface SessionLinkEvents {
  onDegraded: (outage: Outage) => void;
  onOutageOver: (outage: Outage, at: number, recovered: boolean) => void;
  /** The link is gone for good, and the calls with it. */
  onOver: (reason: 'pipeline_failed' | 'hangup') => void;
}

/**
 * The way of one session to the pipeline: opened by its first leg, shared by both, and what becomes of the session while
 * the pipeline is missing (decisions §3 row 15, §6). With `passthrough` two parties go on without it and the link never
 * gives up; with `hangup` they end after a second; a party that talks with the pipeline alone waits until the link gives up.
 */
export class SessionLink {
  readonly #session: Session;
  readonly #context: SessionLinkContext;
  readonly #events: SessionLinkEvents;
  readonly #translation: Translation;
  readonly #policy: 'passthrough' | 'hangup' | 'wait';
  #link: PipelineLink | undefined;
  #ready: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  /** Of the last link, when it was let go. */
  #lastStats: LinkStats | undefined;
  /** Why the last attempt failed, as it was logged. */
  #failure: string | undefined;
  /** The code of the pipeline's last complaint: what it says of every chunk is counted, and logged once. */
  #complaint: string | undefined;
  /** Calls wait no longer for the pipeline. */
  #late = Promise.withResolvers<void>();
  #abort = new AbortController();

  constructor(session: Session, context: SessionLinkContext, events: SessionLinkEvents) {
    this.#session = session;
    this.#context = context;
    this.#events = events;
    this.#policy = rolesOf(session.mode).length === 1 ? 'wait' : context.onFailure;
    const { onDegraded, onOutageOver } = events;
    this.#translation = new Translation(context.now, {
      onLate: () => this.#onLate(),
      onDegraded,
      onOutageOver,
    });
  }

  /** The link itself, while there is one. */
  get link(): PipelineLink | undefined {
    return this.#link;
  }

  /** Of the link, or of the last one. */
  get stats(): LinkStats | undefined {
    return this.#link?.stats() ?? this.#lastStats;
  }

  /** Of the last link that was let go. */
  get closed(): Promise<void> | undefined {
    return this.#closed;
  }

  /** Since when there is no translation, where that is so. */
  get outage(): Outage | undefined {
    return this.#translation.outage;
  }

  /** The parties hear each other in place of a translation. */
  get passesThrough(): boolean {
    return this.#policy === 'passthrough' && this.outage !== undefined;
  }

  /**
   * Resolves when calls may be answered.
   * @throws Refusal `pipeline_unavailable`
   */
  open(): Promise<void> {
    this.#ready ??= this.#connect();
    return this.#ready;
  }

  /** Whether any leg is up now. */
  callUp(isUp: boolean): void {
    this.#translation.callUp(isUp);
  }

  /** Closes the link, idempotent. @param ended the pipeline is told that it is over */
  close(ended: boolean): void {
    this.#drop(this.#link, undefined, ended);
  }

  async #connect(): Promise<void> {
    const { id, organizationId, mode, sourceLanguage, targetLanguage } = this.#session;
    const keepTrying = this.#policy === 'passthrough';
    const link: PipelineLink = this.#context.links.create({
      ...{ sessionId: id, organizationId, mode, sourceLanguage, targetLanguage, keepTrying },
      onEvent: (event) => {
        // The last words come while a link closes.
        if (event.type === 'transcript') this.#context.transcripts.heard(id, event);
        else if (link === this.#link) this.#onEvent(event);
      },
    });
    this.#link = link;
    this.#abort = new AbortController();
    this.#late = Promise.withResolvers();
    const opened = this.#opened(link);
    if (!keepTrying) return opened;
    this.#translation.missing('pipeline_not_ready', 'the pipeline was not ready within a second');
    return Promise.race([opened, this.#late.promise]);
  }

  async #opened(link: PipelineLink): Promise<void> {
    try {
      await link.open(this.#abort.signal);
    } catch (error) {
      this.#drop(link, 'unavailable', false);
      throw error;
    }
    if (link === this.#link) this.#translation.back();
  }

  #onEvent(event: LinkEvent): void {
    const { log } = this.#context;
    const session = this.#session.id;
    if (event.type === 'ended' && event.hangup) {
      log.info({ session, ...event }, 'the pipeline has hung up');
      this.#drop(this.#link, undefined, false);
      this.#events.onOver('hangup');
    } else if (event.type === 'lost' || event.type === 'ended') {
      log.warn({ session, ...event }, `pipeline link ${event.type}`);
      this.#fail();
    } else if (event.type === 'down') {
      log.warn({ session, ...event }, 'pipeline link down');
      this.#translation.missing('pipeline_lost', 'the connection to the pipeline was lost');
      this.#translation.explain(event.detail);
    } else if (event.type === 'failed') {
      this.#translation.explain(event.detail);
      if (this.#failure !== event.detail) log.warn({ session, ...event }, 'the pipeline is not available');
      this.#failure = event.detail;
    } else if (event.type === 'up') {
      log.warn({ session, ...event }, 'pipeline link up');
      this.#failure = undefined;
      this.#translation.back();
    } else if (event.type === 'error') {
      const { code, message } = event;
      if (this.#complaint !== code) log.warn({ session, code, message }, 'pipeline error');
      this.#complaint = code;
    }
  }

  #onLate(): void {
    if (this.#policy === 'hangup') this.#fail();
    this.#late.resolve();
  }

  #fail(): void {
    this.#drop(this.#link, 'lost', false);
    this.#events.onOver('pipeline_failed');
  }

  /** Closes a link, if it is still the session's; another may have taken its place. */
  #drop(link: PipelineLink | undefined, failure: 'unavailable' | 'lost' | undefined, ended: boolean): void {
    if (link === undefined || link !== this.#link) return;
    this.#link = undefined;
    this.#ready = undefined;
    this.#abort.abort();
    this.#translation.over();
    this.#lastStats = link.stats();
    this.#context.linkClosed(link, this.#lastStats, failure);
    this.#closed = link.close(ended);
    this.#context.closing(this.#session.id, this.#closed);
  }
}
