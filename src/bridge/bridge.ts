import type { KeyPress } from '../dtmf.ts';
import { Refusal } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import type { MediaEvent, MediaPool, MediaPort, MediaStats, RingPort, RtpPort } from '../media/media-port.ts';
import type { WaitingSound } from '../media/waiting-sound.ts';
import type { PipelineLink } from '../pipeline/pipeline-link.ts';
import { type Role, rolesOf } from '../roles.ts';
import type { Session } from '../sessions/session.ts';
import type { Outage, TranslationState } from '../sessions/translation.ts';
import type { CallRecord } from '../telemetry/call-record.ts';
import { hearingOf, type Party } from './hearing.ts';
import type { KeyReports } from './key-reports.ts';
import type { Leg } from './leg.ts';
import type { CallFacts, MediaWishes, StreamWishes } from './leg-carrier.ts';
import { figuresOf, type LinkFigures } from './link-figures.ts';
import { SessionLink, type SessionLinkContext } from './session-link.ts';

/** What a bridge asks of the rest of the gateway; the same for all bridges. */
export interface BridgeContext extends SessionLinkContext {
  media: MediaPool;
  mediaTimeoutSeconds: number;
  rejoinSeconds: number;
  /** What a party hears while it is alone. */
  waitingSound: WaitingSound;
  /** For the sessions that say nothing about it. */
  mixOriginalDb: number | null;
  /** Whether the session is over by now, as the store knows. */
  hasEnded: (session: Session) => Promise<boolean>;
  sessionStarted: (session: Session, at: number) => void;
  /** Nobody is left and nobody came back in time; `lastLeftAt` is when the last leg left. */
  sessionCompleted: (session: Session, lastLeftAt: number) => void;
  /** The callee of a call that we place rings, or has sent another provisional answer. */
  legRinging: (leg: Leg) => void;
  legAnswered: (leg: Leg, translation: TranslationState) => void;
  degraded: (session: Session, outage: Outage) => void;
  /**
   * @param at wall clock, ms
   * @param recovered what the translation is now that the pipeline is back; undefined: it is not back
   */
  outageOver: (session: Session, outage: Outage, at: number, recovered?: TranslationState) => void;
  keys: KeyReports;
  /** @param translation what the session's is, now that the leg is gone */
  keepRecord: (
    leg: Leg,
    record: CallRecord,
    stats: MediaStats | undefined,
    translation: TranslationState,
  ) => Promise<void>;
  /** Resolves when what was to be kept of a session so far is kept. */
  written: (id: SessionId) => Promise<void>;
  /** The leg holds its role and its place no longer. @param record settles when its record is kept */
  legGone: (leg: Leg, record?: Promise<void>) => void;
  /** The bridge holds nothing any more. */
  closed: (bridge: Bridge) => void;
}

/** The live media of one session on this node: its one or two legs and its pipeline link (decisions §1, §4). */
export class Bridge {
  readonly session: Session;
  readonly #context: BridgeContext;
  readonly #legs = new Map<Role, Leg>();
  /** Who has, or last had, each role: source address and From URI, for when a caller comes back. */
  readonly #callers = new Map<Role, string>();
  readonly #link: SessionLink;
  #rejoin: NodeJS.Timeout | undefined;
  /** When the last leg that was up left; undefined while none ever was. */
  #lastLeftAt: number | undefined;
  /** Until when somebody may come back, monotonic ms: a call that comes to nothing meanwhile adds nothing. */
  #rejoinUntil: number | undefined;
  #records: Promise<unknown> = Promise.resolve();
  #closed = false;
  #audioStarted = false;
  /** In outages that are over, ms. */
  #untranslatedMs = 0;

  constructor(session: Session, context: BridgeContext) {
    this.session = session;
    this.#context = context;
    this.#link = new SessionLink(session, context, {
      onDegraded: (outage) => {
        context.degraded(session, outage);
        this.#applyHearing();
      },
      onOutageOver: (outage, at, recovered) => {
        this.#untranslatedMs += at - outage.since;
        context.outageOver(session, outage, at, recovered ? this.translation : undefined);
        this.#applyHearing();
      },
      onOver: (reason) => {
        for (const leg of this.legs()) leg.end(reason);
      },
    });
  }

  legs(): Leg[] {
    return [...this.#legs.values()];
  }

  legOf(role: Role): Leg | undefined {
    return this.#legs.get(role);
  }

  /** Who has the role, or had it last while it was up. */
  callerOf(role: Role): string | undefined {
    return this.#callers.get(role);
  }

  get link(): PipelineLink | undefined {
    return this.#link.link;
  }

  /** Since when there is no translation, where that is so. */
  get outage(): Outage | undefined {
    return this.#link.outage;
  }

  /** What has become of the link so far. */
  linkFigures(): LinkFigures {
    const now = this.outage === undefined ? 0 : this.now() - this.outage.since;
    return figuresOf(this.#link.stats, this.#untranslatedMs + now);
  }

  /** As the session shows it. */
  get translation(): TranslationState {
    if (!this.#isUp) return null;
    return this.outage === undefined ? 'active' : 'degraded';
  }

  warn(words: string, details: object): void {
    this.#context.log.warn({ session: this.session.id, ...details }, words);
  }

  now(): number {
    return this.#context.now();
  }

  /** A leg takes its role; synchronous, so that of many INVITEs for one role exactly one gets it. */
  take(leg: Leg): void {
    clearTimeout(this.#rejoin);
    this.#rejoin = undefined;
    this.#legs.set(leg.role, leg);
  }

  /** @throws Refusal `session_ended`; from the reservation on, an end reaches the leg by itself */
  async assertNotEnded(): Promise<void> {
    if (await this.#context.hasEnded(this.session)) throw new Refusal('session_ended');
  }

  openPort(
    leg: Leg,
    { family, timeoutSeconds }: Pick<MediaWishes, 'family' | 'timeoutSeconds'>,
    onEvent: (event: MediaEvent) => void,
  ): Promise<RtpPort> {
    return this.#context.media.open({
      ...this.#portOptions(timeoutSeconds, onEvent),
      family,
      callerAddress: leg.facts.sourceAddress,
    });
  }

  openRing(
    { codec, timeoutSeconds }: Pick<StreamWishes, 'codec' | 'timeoutSeconds'>,
    onEvent: (event: MediaEvent) => void,
  ): Promise<RingPort> {
    return this.#context.media.openRing({ ...this.#portOptions(timeoutSeconds, onEvent), codec });
  }

  #portOptions(timeoutSeconds: number | null | undefined, onEvent: (event: MediaEvent) => void) {
    return {
      affinity: this.session.id,
      timeoutSeconds: timeoutSeconds ?? this.#context.mediaTimeoutSeconds,
      inboundFormat: this.#context.links.inputFormat(this.session.organizationId),
      onEvent,
    };
  }

  /**
   * The session's link, opened by the first leg that asks and shared by the others. Resolves when the leg may be answered.
   * @throws Refusal `pipeline_unavailable`
   */
  openLink(): Promise<void> {
    return this.#link.open();
  }

  legRinging(leg: Leg): void {
    this.#context.legRinging(leg);
  }

  legUp(leg: Leg, port: MediaPort): void {
    this.#callers.set(leg.role, partyOf(leg.facts));
    this.link?.attach(leg.role, port);
    this.link?.setHeld(leg.role, leg.held);
    this.#context.legAnswered(leg, this.translation);
    this.#link.callUp(true);
    this.#applyHearing();
  }

  setHeld(leg: Leg, held: boolean): void {
    this.link?.setHeld(leg.role, held);
    this.#applyHearing();
  }

  get keys(): KeyReports {
    return this.#context.keys;
  }

  keyPressed(leg: Leg, press: KeyPress): void {
    this.link?.keyPressed(leg.role, press);
    this.keys.pressed(leg, press);
  }

  audioStarted(at: number): void {
    if (this.#audioStarted) return;
    this.#audioStarted = true;
    this.#context.sessionStarted(this.session, at);
  }

  /** @param record settles when the leg's record is kept */
  legEnded(leg: Leg, wasUp: boolean, record?: Promise<void>): void {
    if (record !== undefined) this.#records = Promise.allSettled([this.#records, record]);
    if (this.#legs.get(leg.role) === leg) this.#legs.delete(leg.role);
    if (wasUp) {
      this.#lastLeftAt = this.now();
      this.#rejoinUntil = performance.now() + this.#context.rejoinSeconds * 1000;
      this.link?.detach(leg.role);
      this.#link.callUp(this.#isUp);
      this.#applyHearing();
    }
    this.#context.legGone(leg, record);
    if (this.#legs.size === 0 && !this.#closed) this.#lastLegGone();
  }

  keepRecord(leg: Leg, record: CallRecord, stats: MediaStats | undefined): Promise<void> {
    return this.#context.keepRecord(leg, record, stats, this.translation);
  }

  written(): Promise<void> {
    return this.#context.written(this.session.id);
  }

  closing(work: Promise<unknown> | undefined): void {
    this.#context.closing(this.session.id, work);
  }

  /** The session has ended, or the gateway stops: everything of it ends too. */
  close(reason: 'session_ended' | 'drained'): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#rejoin);
    for (const leg of this.legs()) leg.end(reason);
    this.#release(true, reason === 'drained' ? this.#complete() : undefined);
  }

  /**
   * Lets go of the link and of the place among the bridges, and then of the transcript: the last words come while the link
   * closes.
   * @param ended the pipeline is told that it is over
   * @param completed resolves when it is told that the session is over
   */
  #release(ended: boolean, completed: Promise<void> | undefined): void {
    this.#link.close(ended);
    const { closed, transcripts } = this.#context;
    const over = Promise.allSettled([this.#link.closed, completed]);
    this.closing(over.then(() => transcripts.over(this.session.id)));
    closed(this);
  }

  /**
   * Tells that the session is over since its last leg left, once the records of its legs are kept, so that the end is
   * the last that is heard of it. One that nobody was ever in goes on.
   */
  #complete(): Promise<void> | undefined {
    const leftAt = this.#lastLeftAt;
    if (leftAt === undefined) return undefined;
    const completed = this.#records.then(() => this.#context.sessionCompleted(this.session, leftAt));
    this.closing(completed);
    return completed;
  }

  get #isUp(): boolean {
    return this.legs().some((leg) => leg.state === 'up');
  }

  /** Tells the media what each party hears, as things are now. */
  #applyHearing(): void {
    const parties = new Map<Role, Party>();
    for (const { role, state, port, held } of this.legs())
      if (state === 'up' && port !== undefined) parties.set(role, { port, held });
    const { mode } = this.session;
    const mixOriginalDb = this.session.mixOriginalDb ?? this.#context.mixOriginalDb;
    const passthrough = this.#link.passesThrough;
    const facts = { mode, parties, passthrough, mixOriginalDb, waitingSound: this.#context.waitingSound };
    for (const [role, { port }] of parties) port.hear(hearingOf(role, facts));
  }

  /** Nobody is left: a session of two parties waits for one to come back, any other is over. */
  #lastLegGone(): void {
    const until = rolesOf(this.session.mode).length === 2 ? this.#rejoinUntil : undefined;
    const over = () => {
      this.#closed = true;
      this.#release(this.#lastLeftAt !== undefined, this.#complete());
    };
    if (until === undefined) over();
    else this.#rejoin = setTimeout(over, Math.max(0, until - performance.now()));
  }
}

/** Who is at the other end: address and URI or number, so that a party is known again when it calls or calls back. */
export const partyOf = ({ direction, sourceAddress, from, to }: CallFacts): string =>
  `${sourceAddress} ${direction === 'inbound' ? from : to}`;
