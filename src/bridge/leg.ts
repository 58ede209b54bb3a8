import type { DtmfMethod, KeyPress } from '../dtmf.ts';
import { type EndReason, reasonOfEnd } from '../errors.ts';
import { type LegId, newLegId } from '../ids.ts';
import type { MediaEvent, MediaPort, MediaSettings, MediaStats } from '../media/media-port.ts';
import type { Role } from '../roles.ts';
import type { LegFacts } from '../sessions/leg-view.ts';
import type { Session } from '../sessions/session.ts';
import type { SrtpSuite } from '../srtp.ts';
import type { OpenCallRecord } from '../telemetry/call-record.ts';
import type { Bridge } from './bridge.ts';
import type { PlacedCall } from './dialer.ts';
import { DigitPlayer, type DigitRun } from './digit-player.ts';
import { Ended } from './ended.ts';
import { KeyPresses } from './key-presses.ts';
import { legRecord } from './leg-record.ts';

/** What a leg needs of the SIP dialog that carries it; implemented by `sip/`. */
export interface SipLeg {
  /** Sends a BYE with this `Reason` header. Resolves when it was answered or given up; never rejects. */
  bye(reason: string): Promise<void>;
  /** Tells of a key press by INFO. Resolves with whether the peer took it; never rejects. */
  press(digit: string, durationMs: number): Promise<boolean>;
}

/** What is known of a call when it is admitted, or placed; goes into its record. */
export interface CallFacts {
  direction: 'inbound' | 'outbound';
  callId: string;
  from: string;
  to: string;
  /** Empty for a call that we place, until the callee answers in any way. */
  sourceAddress: string;
  transport: string;
  /** Wall clock of the INVITE, ms. */
  startedAt: number;
  /** The INVITE's `X-` headers. */
  headers: Readonly<Record<string, string>>;
}

/** What offer/answer needs to know before a leg can take its ports. */
export interface MediaWishes {
  family: 4 | 6;
  /** Seconds without RTP and RTCP until `media_timeout`, 0 = never; absent = the gateway's setting. */
  timeoutSeconds?: number | null;
  /** Awaited between the port and the pipeline: there an inbound-first call makes its session (decisions §3). */
  onPort?: (() => Promise<void>) | undefined;
  /** Called once when the pipeline is not ready within 200 ms (decisions §3, row 15): time for a 180. */
  onWaiting: () => void;
}

const WAITING_MS = 200;
/** After so long without any RTP that counts, an operator is told when there is some that does not. */
const DEAF_MS = 3000;

type State = 'setting_up' | 'up' | 'ended';

/**
 * One call of a session, that came to us or that we place. It exists from the moment its role is reserved, and has one
 * way out, `end`, whatever comes first: a hang-up, a CANCEL, a lost pipeline, the end of its session.
 */
export class Leg {
  readonly id: LegId = newLegId();
  readonly role: Role;
  #facts: CallFacts;
  readonly #bridge: Bridge;
  readonly #abort = new AbortController();
  readonly #presses = new KeyPresses();
  readonly #player: DigitPlayer;
  #state: State = 'setting_up';
  #sip: SipLeg | undefined;
  #placed: PlacedCall | undefined;
  #sipStatus: number | null = null;
  /** That it is being dialed is being written down; no record of it is kept before that is done. */
  #announced: Promise<unknown> = Promise.resolve();
  #recorded: Promise<void> | undefined;
  #port: MediaPort | undefined;
  #codec = '';
  #srtp: SrtpSuite | null = null;
  #held = false;
  #acknowledged = false;
  #answeredAt: number | null = null;
  #endReason: EndReason | undefined;
  #endedAt: number | undefined;
  #deaf: NodeJS.Timeout | undefined;

  constructor(bridge: Bridge, role: Role, facts: CallFacts) {
    this.#bridge = bridge;
    this.role = role;
    this.#facts = facts;
    this.#player = new DigitPlayer({
      pressByRtp: async ({ digits, durationMs, gapMs }) =>
        (await this.#port?.press(digits, durationMs, gapMs)) ?? 0,
      pressByInfo: async (digit, durationMs) => (await this.#sip?.press(digit, durationMs)) ?? false,
      onPressed: (count, method) => bridge.keys.sent(count, method),
      onNotPressed: (count) => bridge.keys.notSent(this, count),
    });
  }

  get facts(): CallFacts {
    return this.#facts;
  }

  /** The leg as events and the API tell of it. */
  describe(): LegFacts {
    const { direction, callId, from, to, sourceAddress, transport, headers } = this.#facts;
    const { id: sessionId, organizationId } = this.session;
    const { id, role } = this;
    const codec = this.#codec;
    const srtp = this.#srtp;
    return {
      id,
      sessionId,
      organizationId,
      role,
      direction,
      callId,
      from,
      to,
      sourceAddress,
      transport,
      codec,
      srtp,
      headers,
    };
  }

  get session(): Session {
    return this.#bridge.session;
  }

  /** Its media, once it has any. */
  get port(): MediaPort | undefined {
    return this.#port;
  }

  /** The peer has put us on hold. */
  get held(): boolean {
    return this.#held;
  }

  /** It was up once, even if it has ended since. */
  get wasUp(): boolean {
    return this.#answeredAt !== null;
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
  async start(wishes: MediaWishes): Promise<MediaPort> {
    await this.#bridge.assertNotEnded();
    this.signal.throwIfAborted();
    const port = await this.#bridge.openPort(this, wishes, (event) => this.#onMedia(event));
    this.#port = port;
    if (this.#state === 'ended') await port.close();
    this.signal.throwIfAborted();
    await wishes.onPort?.();
    this.signal.throwIfAborted();
    const waiting = setTimeout(wishes.onWaiting, WAITING_MS);
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
  reached(callee: Pick<CallFacts, 'sourceAddress' | 'transport'>, sipStatus: number): void {
    if (this.#state === 'ended') return;
    this.#facts = { ...this.#facts, ...callee };
    const first = this.#sipStatus === null;
    this.#sipStatus = sipStatus;
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
    this.#codec = settings.codec;
    this.#srtp = settings.srtp?.suite ?? null;
    this.#held = settings.held;
    this.#port?.configure(settings);
    this.#bridge.setHeld(this, settings.held);
    this.#configurePlayer(settings.telephoneEvents.length > 0 ? 'rtp' : 'info');
  }

  /** The 200 is on its way: from here audio flows, and the leg ends with a BYE. */
  answered(sip: SipLeg): void {
    this.#sip = sip;
    if (this.#state === 'ended') {
      this.#bridge.closing(sip.bye(reasonOfEnd(this.#endReason ?? 'error')));
      return;
    }
    this.#state = 'up';
    this.#answeredAt = this.#bridge.now();
    this.#bridge.legUp(this, this.#port as MediaPort);
    this.#deaf = setTimeout(() => this.#warnIfDeaf(), DEAF_MS);
    this.#deaf.unref();
  }

  /** The commonest causes of a silent call, where nothing else tells of them. */
  #warnIfDeaf(): void {
    const stats = this.#port?.stats();
    if (!stats || stats.packetsReceived > 0) return;
    const { packetsDroppedBySource: strange, packetsDroppedUnauthentic: unauthentic } = stats;
    const call = { leg: this.id, call_id: this.#facts.callId };
    if (unauthentic > 0) {
      const text = 'the SRTP of this call does not fit the key in its SDP; it is not heard';
      this.#bridge.warn(text, { ...call, packets: unauthentic });
    } else if (strange > 0) {
      const text = 'the RTP of this call comes from an address that its SDP does not name; it is not heard';
      this.#bridge.warn(text, { ...call, packets: strange });
    }
  }

  /** The ACK came. */
  acknowledged(): void {
    if (this.#state !== 'up' || this.#acknowledged) return;
    this.#acknowledged = true;
    this.#port?.startSending();
    this.#bridge.link?.startPlaying(this.role);
    this.#configurePlayer(this.#player.method);
  }

  /** A key was pressed at the other end. Of one that is told of by RTP and by SIP the first counts. */
  keyPressed(press: KeyPress): void {
    if (this.#state !== 'up') return;
    const taken = this.#presses.take(press, performance.now());
    if (taken === 'new') this.#bridge.keyPressed(this, press);
    else if (taken === 'dropped') this.#bridge.keys.dropped();
  }

  /**
   * Presses keys at the other end, once it is there and does not have us on hold.
   * @returns the way in which they go out, as things are
   * @throws ApiError `dtmf_queue_full`
   */
  press(run: DigitRun): DtmfMethod {
    this.#player.play(run);
    return this.#player.method;
  }

  #configurePlayer(method: DtmfMethod): void {
    this.#player.configure(method, this.#acknowledged && !this.#held);
  }

  stats(): MediaStats | undefined {
    return this.#port?.stats();
  }

  /** ms without RTP from the peer, counted from the answer when none has come at all; 0 before the answer. */
  silentForMs(): number {
    if (this.#answeredAt === null) return 0;
    const silentForMs = this.#port?.stats().silentForMs ?? -1;
    return silentForMs < 0 ? this.#bridge.now() - this.#answeredAt : silentForMs;
  }

  /**
   * Ends the leg, once; later calls do nothing.
   * @param reason why; it begins the text of the BYE's `Reason` and stands in the record
   * @param byPeer the peer has said BYE itself, so none is sent
   */
  end(reason: EndReason, byPeer = false): void {
    if (this.#state === 'ended') return;
    const wasUp = this.#state === 'up';
    this.#state = 'ended';
    this.#endReason = reason;
    this.#endedAt = this.#bridge.now();
    clearTimeout(this.#deaf);
    this.#player.close();
    this.#abort.abort(new Ended(reason));
    const goodbye = byPeer ? undefined : wasUp ? this.#sip?.bye(reasonOfEnd(reason)) : this.#placed?.cancel();
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
    this.#player.close();
    this.#abort.abort(new Ended('error'));
    this.#bridge.legEnded(this, false);
    this.#bridge.closing(this.#port?.close());
  }

  async #close(reason: EndReason): Promise<void> {
    const last = this.#port?.stats();
    const stats = await this.#port?.close().catch(() => last);
    const announced = await this.#announced.then(
      () => true,
      () => false,
    );
    if (!announced) return;
    await this.#bridge.keepRecord(
      this,
      { ...this.record(stats), reason, ended_at: this.#endedAt ?? this.#bridge.now() },
      stats,
    );
  }

  #onMedia(event: MediaEvent): void {
    if (event.type === 'first_packet') this.#bridge.audioStarted(event.at);
    else if (event.type === 'digit') this.keyPressed({ ...event, method: 'rtp' });
    else this.end(event.type === 'media_timeout' ? 'media_timeout' : 'error');
  }

  /** Its record as it stands now. */
  record(stats = this.stats()): OpenCallRecord {
    const life = {
      startedAt: this.#facts.startedAt,
      answeredAt: this.#answeredAt,
      endedAt: this.#endedAt ?? null,
      endReason: this.#endReason ?? null,
      sipStatus: this.#sipStatus,
      keysReceived: this.#presses.count,
      keysSent: this.#player.count,
    };
    return legRecord(this.describe(), life, stats, this.#bridge.now());
  }
}
