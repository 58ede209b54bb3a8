import type { DtmfMethod, KeyPress } from '../dtmf.ts';
import { ApiError, type EndReason } from '../errors.ts';
import { type LegId, newLegId } from '../ids.ts';
import type {
  MediaEvent,
  MediaPort,
  MediaSettings,
  MediaStats,
  RingPort,
  RtpPort,
} from '../media/media-port.ts';
import type { Role } from '../roles.ts';
import type { LegFacts } from '../sessions/leg-view.ts';
import type { Session } from '../sessions/session.ts';
import type { OpenCallRecord } from '../telemetry/call-record.ts';
import type { Bridge } from './bridge.ts';
import { deafness } from './deafness.ts';
import type { PlacedCall } from './dialer.ts';
import type { DigitRun } from './digit-player.ts';
import { Ended } from './ended.ts';
import type { CallFacts, LegCarrier, MediaWishes, StreamWishes } from './leg-carrier.ts';
import { LegMedia } from './leg-media.ts';
import { legRecord } from './leg-record.ts';
import { LegTimeline } from './leg-timeline.ts';
import { grownSince, type LinkFigures, noFigures } from './link-figures.ts';

const WAITING_MS = 200;
/** After so long without any RTP that counts, an operator is told when there is some that does not. */
const DEAF_MS = 3000;

type State = 'setting_up' | 'up' | 'ended';

/**
 * One call of a session, that came to us or that we place, whatever carries it. It exists from the moment its role is
 * reserved, and has one way out, `end`, whatever comes first: a hang-up, a CANCEL, a lost pipeline, the end of its session.
 */
export class Leg {
  readonly id: LegId = newLegId();
  readonly role: Role;
  #facts: CallFacts;
  readonly #bridge: Bridge;
  readonly #abort = new AbortController();
  readonly #media: LegMedia;
  #state: State = 'setting_up';
  #carrier: LegCarrier | undefined;
  #placed: PlacedCall | undefined;
  #sipStatus: number | null = null;
  /** That it is being dialed is being written down; no record of it is kept before that is done. */
  #announced: Promise<unknown> = Promise.resolve();
  #recorded: Promise<void> | undefined;
  /** Since when it is up, and until when, on the clock that never jumps. */
  #upSince = 0;
  #upUntil: number | undefined;
  readonly #timeline: LegTimeline;
  #endReason: EndReason | undefined;
  /** Q.850, as the peer told it. */
  #peerCause: number | undefined;
  /** Of the link, when it came up, and what had come about by its end. */
  #linkBefore: LinkFigures | undefined;
  #linkGrown: LinkFigures | undefined;
  #deaf: NodeJS.Timeout | undefined;

  constructor(bridge: Bridge, role: Role, facts: CallFacts) {
    this.#bridge = bridge;
    this.role = role;
    this.#facts = facts;
    this.#timeline = new LegTimeline(() => bridge.now());
    this.#media = new LegMedia({
      pressOtherwise: async (digit, durationMs) => (await this.#carrier?.press?.(digit, durationMs)) ?? false,
      onPressed: (count, method) => bridge.keys.sent(count, method),
      onNotPressed: (count) => bridge.keys.notSent(this, count),
    });
  }

  get facts(): CallFacts {
    return this.#facts;
  }

  /** The leg as events and the API tell of it. */
  describe(): LegFacts {
    const { startedAt: _startedAt, userAgent: _userAgent, ...facts } = this.#facts;
    const { id: sessionId, organizationId } = this.session;
    const { id, role } = this;
    const { codec, srtp } = this.#media;
    return { id, sessionId, organizationId, role, ...facts, codec, srtp };
  }

  /** How lines of the log name it. */
  get logged(): { session: string; leg: string; call_id: string | null } {
    return { session: this.session.id, leg: this.id, call_id: this.#facts.callId };
  }

  get session(): Session {
    return this.#bridge.session;
  }

  /** Its media, once it has any. */
  get port(): MediaPort | undefined {
    return this.#media.port;
  }

  /** The peer has put us on hold. */
  get held(): boolean {
    return this.#media.held;
  }

  /** It was up once, even if it has ended since. */
  get wasUp(): boolean {
    return this.#timeline.answeredAt !== null;
  }

  get state(): State {
    return this.#state;
  }

  /** Aborted when the leg ends, so that a set-up stops at its next step. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /**
   * Takes a pair of ports and a ready pipeline (rows 14 and 15).
   * @throws Refusal `session_ended`, `no_media_ports`, `pipeline_unavailable`; or the abort of `signal`
   */
  start(wishes: MediaWishes): Promise<RtpPort> {
    return this.#setUp(wishes, async () => {
      const port = await this.#bridge.openPort(this, wishes, (event) => this.#onMedia(event));
      this.#media.takeRtp(port);
      return port;
    });
  }

  /** The same for a leg that comes as a stream, and needs no ports. @throws as `start` */
  startStream(wishes: StreamWishes): Promise<RingPort> {
    return this.#setUp(wishes, async () => {
      const port = await this.#bridge.openRing(wishes, (event) => this.#onMedia(event));
      this.#media.takeRing(port, wishes.codec);
      return port;
    });
  }

  async #setUp<Port extends MediaPort>(
    { onPort, onWaiting }: MediaWishes | StreamWishes,
    open: () => Promise<Port>,
  ): Promise<Port> {
    await this.#bridge.assertNotEnded();
    this.signal.throwIfAborted();
    const port = await open();
    if (this.#state === 'ended') await port.close();
    this.signal.throwIfAborted();
    await onPort?.();
    this.signal.throwIfAborted();
    const waiting = onWaiting && setTimeout(() => this.#ring(onWaiting), WAITING_MS);
    try {
      await this.#bridge.openLink();
    } catch (error) {
      // The end of the last leg has ended the attempt: what counts is why the leg ended.
      this.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(waiting);
    }
    this.signal.throwIfAborted();
    return port;
  }

  #ring(tell: () => void): void {
    this.#timeline.rings();
    tell();
  }

  /**
   * Writes down that the call is being placed, before anybody is promised it.
   * @throws what `write` throws; the leg has given back everything then
   */
  async announce(write: (leg: Leg) => Promise<void>): Promise<void> {
    this.#announced = write(this);
    try {
      await this.#announced;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Our INVITE is on its way: until it is answered, the leg's end takes it back. */
  placed(call: PlacedCall): void {
    this.#placed = call;
    if (this.#state === 'ended') this.#bridge.closing(call.cancel());
  }

  /** The callee has answered in some way: now it is known who and where it is. */
  reached(callee: Pick<CallFacts, 'sourceAddress' | 'transport' | 'userAgent'>, sipStatus: number): void {
    if (this.#state === 'ended') return;
    this.#facts = { ...this.#facts, ...callee };
    const first = this.#sipStatus === null;
    this.#sipStatus = sipStatus;
    if (sipStatus < 200) this.#timeline.rings();
    if (first && sipStatus < 200) this.#bridge.legRinging(this);
  }

  /** Our INVITE came to nothing. @param sipStatus what it was answered, or what stands for an answer that did not come */
  dialFailed(sipStatus: number): void {
    if (this.#state === 'ended') return;
    this.#sipStatus = sipStatus;
    this.end('dial_failed');
  }

  /** Somebody wants it to end; a call that is still being placed is taken back. */
  hangUp(): void {
    const dialing = this.#state === 'setting_up' && this.#facts.direction === 'outbound';
    this.end(dialing ? 'canceled' : 'hangup');
  }

  /** Applies what offer/answer agreed, first and after every re-INVITE. */
  configure(settings: MediaSettings): void {
    if (this.#state === 'ended') return;
    this.#media.configure(settings);
    this.#timeline.hold(settings.held);
    this.#bridge.setHeld(this, settings.held);
  }

  /** The party of a stream is on hold from now on, or not any more: it hears nothing and is heard by nobody. */
  hold(held: boolean): void {
    if (this.#state === 'ended' || held === this.held) return;
    this.#media.hold(held);
    this.#timeline.hold(held);
    this.#bridge.setHeld(this, held);
  }

  /** The 200 is on its way, or the stream is open: from here audio flows, and the leg ends by its carrier. */
  answered(carrier: LegCarrier): void {
    this.#carrier = carrier;
    if (this.#state === 'ended') {
      this.#bridge.closing(carrier.hangUp(this.#endReason ?? 'error'));
      return;
    }
    this.#state = 'up';
    this.#timeline.answered();
    this.#linkBefore = this.#bridge.linkFigures();
    this.#upSince = performance.now();
    this.#bridge.legUp(this, this.port as MediaPort);
    this.#deaf = setTimeout(() => this.#warnIfDeaf(), DEAF_MS);
    this.#deaf.unref();
  }

  #warnIfDeaf(): void {
    const why = deafness(this.stats());
    if (why === undefined) return;
    const { words, packets } = why;
    this.#bridge.warn(words, { ...this.logged, packets });
  }

  /** The ACK came, or there is none to wait for: the party hears. */
  acknowledged(): void {
    if (this.#state !== 'up' || this.#timeline.acknowledgedAt !== null) return;
    this.#timeline.acknowledged();
    this.#media.startSending();
    this.#bridge.link?.startPlaying(this.role);
  }

  /** A key was pressed at the other end. Of one that is told of by RTP and by SIP the first counts. */
  keyPressed(press: KeyPress): void {
    if (this.#state !== 'up') return;
    const taken = this.#media.keyPressed(press);
    if (taken === 'new') this.#bridge.keyPressed(this, press);
    else if (taken === 'dropped') this.#bridge.keys.dropped();
  }

  /**
   * Presses keys at the other end, once it is there and does not have us on hold.
   * @returns the way in which they go out, as things are
   * @throws ApiError `dtmf_queue_full`, and `dtmf_not_possible` where there is no way out
   */
  press(run: DigitRun): DtmfMethod {
    const { method } = this.#media;
    if (method === 'info' && this.#carrier && !this.#carrier.press) throw new ApiError('dtmf_not_possible');
    this.#media.press(run);
    return method;
  }

  stats(): MediaStats | undefined {
    return this.#media.stats();
  }

  /** ms without audio from the peer, counted from the answer when none has come at all; 0 before the answer. */
  silentForMs(): number {
    const { answeredAt } = this.#timeline;
    if (answeredAt === null) return 0;
    const silentForMs = this.#media.silentForMs();
    return silentForMs < 0 ? this.#upForMs : silentForMs;
  }

  get #upForMs(): number {
    return this.#timeline.answeredAt === null ? 0 : (this.#upUntil ?? performance.now()) - this.#upSince;
  }

  /** ms without any sign of the peer: one whose carrier hears of it otherwise may be silent. */
  absentForMs(): number {
    return Math.min(this.silentForMs(), this.#carrier?.silentForMs?.() ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Ends the leg, once; later calls do nothing.
   * @param reason why; the peer is told, and it stands in the record
   * @param byPeer the peer has ended it itself, or cannot be told any more
   * @param peerCause Q.850, where the peer has told why
   */
  end(reason: EndReason, byPeer = false, peerCause?: number): void {
    if (this.#state === 'ended') return;
    const wasUp = this.#state === 'up';
    this.#state = 'ended';
    this.#endReason = reason;
    this.#peerCause = peerCause;
    this.#timeline.ended();
    this.#linkGrown = this.#linkFigures();
    this.#upUntil = performance.now();
    clearTimeout(this.#deaf);
    this.#media.stopPressing();
    this.#abort.abort(new Ended(reason));
    const goodbye = byPeer ? undefined : wasUp ? this.#carrier?.hangUp(reason) : this.#placed?.cancel();
    const record = this.#close(reason);
    this.#recorded = record;
    this.#bridge.legEnded(this, wasUp, record);
    this.#bridge.closing(Promise.all([goodbye, record]));
  }

  /** Resolves when what has become of the leg so far is on disk. */
  async written(): Promise<void> {
    await this.#recorded;
    await this.#bridge.written();
  }

  /** The set-up was refused: everything is given back, and no record is kept of it. */
  release(): void {
    if (this.#state !== 'setting_up') return;
    this.#state = 'ended';
    this.#media.stopPressing();
    this.#abort.abort(new Ended('error'));
    this.#bridge.legEnded(this, false);
    this.#bridge.closing(this.#media.close());
  }

  async #close(reason: EndReason): Promise<void> {
    const stats = await this.#media.close();
    const announced = await this.#announced.then(
      () => true,
      () => false,
    );
    if (!announced) return;
    await this.#bridge.keepRecord(
      this,
      { ...this.record(stats), reason, ended_at: this.#timeline.endedAt ?? this.#bridge.now() },
      stats,
    );
  }

  #onMedia(event: MediaEvent): void {
    if (event.type === 'first_packet') this.#audioCame(event.at);
    else if (event.type === 'digit') this.keyPressed({ ...event, method: 'rtp' });
    else this.end(event.type === 'media_timeout' ? 'media_timeout' : 'error');
  }

  #audioCame(at: number): void {
    this.#timeline.audioCame(at);
    this.#bridge.audioStarted(at);
  }

  #linkFigures(): LinkFigures {
    if (this.#linkGrown) return this.#linkGrown;
    return this.#linkBefore ? grownSince(this.#linkBefore, this.#bridge.linkFigures()) : noFigures;
  }

  /** Its record as it stands now. */
  record(stats = this.stats()): OpenCallRecord {
    const life = {
      startedAt: this.#facts.startedAt,
      userAgent: this.#facts.userAgent ?? null,
      timeline: this.#timeline,
      peerCause: this.#peerCause,
      link: this.#linkFigures(),
      upForMs: this.#upForMs,
      endReason: this.#endReason ?? null,
      sipStatus: this.#sipStatus,
      keysReceived: this.#media.keysReceived,
      keysSent: this.#media.keysSent,
    };
    return legRecord(this.describe(), life, stats);
  }
}
