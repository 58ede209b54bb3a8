import type { SelfTestKind } from '../config/self-test.ts';
import type { KeyPress } from '../dtmf.ts';
import type { EndReason } from '../errors.ts';
import { newTestId, type TestId } from '../ids.ts';
import type { MediaEvent, MediaPool, MediaSettings, MediaStats, RtpPort } from '../media/media-port.ts';
import { reportOf, type TestReport } from './report.ts';
import { type CallSeen, type InviteSeen, type MediaSeen, shown } from './seen.ts';

/** What a self-test asks of the rest of the gateway. */
export interface TestCallContext {
  media: MediaPool;
  mediaTimeoutSeconds: number;
  /** How long a `test` lasts. */
  testSeconds: number;
  now: () => number;
  /** It holds its place no longer. @param settled resolves when its ports are free and its report is kept */
  onEnded: (call: TestCall, settled: Promise<void>) => void;
  /** Its last counters. */
  onCounted: (call: TestCall, stats: MediaStats) => void;
  /** A call that was answered is over. */
  onReport: (organizationId: string, report: TestReport) => Promise<void>;
}

/** How a call is hung up; implemented by `sip/`. */
interface Carrier {
  /** Resolves when the BYE was answered or given up; never rejects. */
  hangUp(reason: EndReason): Promise<void>;
}

/** An `echo` ends after so long. */
const ECHO_MOST_SECONDS = 600;
/** A `test` begins and ends with a tone, so that what is heard of us does not depend on what comes. */
const TONE_SECONDS = 2;
const TONE = { kind: 'tone', hz: 440, levelDb: -18, onMs: 400, offMs: 200 } as const;
/** Nobody reads what the caller says but the media worker itself; its ring is emptied so often. */
const DRAIN_MS = 250;

/**
 * One call to a self-test number. It has no session and no pipeline: in the media worker the caller's voice goes back to
 * the caller. Like a leg it has one way out, `end`, whatever comes first.
 */
export class TestCall {
  readonly id: TestId = newTestId();
  readonly kind: SelfTestKind;
  readonly organizationId: string;
  readonly #context: TestCallContext;
  readonly #seen: CallSeen;
  readonly #abort = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #state: 'setting_up' | 'up' | 'ended' = 'setting_up';
  #port: RtpPort | undefined;
  #carrier: Carrier | undefined;

  constructor(context: TestCallContext, kind: SelfTestKind, organizationId: string, invite: InviteSeen) {
    this.kind = kind;
    this.organizationId = organizationId;
    this.#context = context;
    this.#seen = {
      ...{ id: this.id, organizationId, kind, invite, startedAt: context.now() },
      ...{ answeredAt: null, endedAt: null, acknowledged: false, reason: null, byPeer: false },
      ...{ holds: 0, resumes: 0, keys: { rtp: 0, info: 0 }, ownMedia: null, media: null, stats: undefined },
    };
  }

  get state() {
    return this.#state;
  }

  /** Aborted when it ends. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** It was answered once, even if it has ended since. */
  get wasUp(): boolean {
    return this.#seen.answeredAt !== null;
  }

  get facts(): { sourceAddress: string; transport: string } {
    return this.#seen.invite;
  }

  /** How lines of the log name it. */
  get logged(): { test: string; call_id: string } {
    return { test: this.id, call_id: this.#seen.invite.callId };
  }

  stats(): MediaStats | undefined {
    return this.#port?.stats();
  }

  /** What has been seen so far, or in the whole call. */
  report(): TestReport {
    const stats = this.#seen.stats ?? this.#port?.stats();
    return reportOf({ ...this.#seen, stats }, this.#context.now());
  }

  /** Takes a pair of ports. @throws Refusal `no_media_ports` */
  async start(wishes: { family: 4 | 6; timeoutSeconds?: number | null }): Promise<RtpPort> {
    const port = await this.#context.media.open({
      affinity: this.id,
      family: wishes.family,
      callerAddress: this.#seen.invite.sourceAddress,
      timeoutSeconds: wishes.timeoutSeconds ?? this.#context.mediaTimeoutSeconds,
      onEvent: (event) => this.#onMedia(event),
    });
    this.#port = port;
    this.#seen.ownMedia = shown(port.address, port.rtpPort);
    // The end has come meanwhile: whoever sets up the call finds that out by itself.
    if (this.#state === 'ended') await port.close();
    return port;
  }

  /** Applies what offer/answer agreed, first and after every re-INVITE. */
  configure(settings: MediaSettings): void {
    if (this.#state === 'ended') return;
    const wasHeld = this.#seen.holds > this.#seen.resumes;
    if (settings.held && !wasHeld) this.#seen.holds++;
    if (!settings.held && wasHeld) this.#seen.resumes++;
    this.#seen.media = mediaSeen(settings, this.#seen.media);
    this.#port?.configure(settings);
  }

  /** The 200 is on its way. */
  answered(carrier: Carrier): void {
    this.#carrier = carrier;
    if (this.#state === 'ended') {
      void carrier.hangUp(this.#seen.reason ?? 'error');
      return;
    }
    this.#state = 'up';
    this.#seen.answeredAt = this.#context.now();
    const { testSeconds } = this.#context;
    this.#timers.push(setInterval(() => this.#port?.inbound.drop(), DRAIN_MS).unref());
    if (this.kind === 'echo') {
      this.#echo();
      this.#after(ECHO_MOST_SECONDS, () => this.end('hangup'));
      return;
    }
    this.#tone();
    this.#after(TONE_SECONDS, () => this.#echo());
    this.#after(testSeconds - TONE_SECONDS, () => this.#tone());
    this.#after(testSeconds, () => this.end('hangup'));
  }

  /** The ACK came. */
  acknowledged(): void {
    if (this.#state !== 'up' || this.#seen.acknowledged) return;
    this.#seen.acknowledged = true;
    this.#port?.startSending();
  }

  keyPressed({ method }: KeyPress): void {
    if (this.#state === 'up' && method !== 'stream') this.#seen.keys[method]++;
  }

  /** Ends the call, once; later calls do nothing. @param byPeer the caller has said BYE itself, so none is sent */
  end(reason: EndReason, byPeer = false): void {
    if (this.#state === 'ended') return;
    const wasUp = this.#state === 'up';
    this.#state = 'ended';
    Object.assign(this.#seen, { reason, byPeer, endedAt: this.#context.now() });
    for (const timer of this.#timers) clearTimeout(timer);
    this.#abort.abort();
    const goodbye = wasUp && !byPeer ? this.#carrier?.hangUp(reason) : undefined;
    const settled = Promise.all([goodbye, this.#close()]).then(() => undefined);
    this.#context.onEnded(this, settled);
  }

  /** The set-up came to nothing. */
  release(): void {
    if (this.#state === 'setting_up') this.end('error');
  }

  async #close(): Promise<void> {
    const last = this.#port?.stats();
    const stats = await this.#port?.close().catch(() => last);
    this.#seen.stats = stats;
    if (stats) this.#context.onCounted(this, stats);
    if (this.wasUp) await this.#context.onReport(this.organizationId, this.report());
  }

  #echo(): void {
    const port = this.#port;
    if (port) port.hear({ translation: false, original: { from: port, gainDb: 0 }, waiting: null });
  }

  #tone(): void {
    this.#port?.hear({ translation: false, original: null, waiting: TONE });
  }

  #after(seconds: number, what: () => void): void {
    this.#timers.push(setTimeout(what, seconds * 1000).unref());
  }

  #onMedia(event: MediaEvent): void {
    if (event.type === 'digit') this.keyPressed({ ...event, method: 'rtp' });
    else if (event.type === 'media_timeout') this.end('media_timeout');
    else if (event.type !== 'first_packet') this.end('error');
  }
}

/** A hold by 0.0.0.0 says nothing of where the audio is. */
function mediaSeen({ srtp, ...settings }: MediaSettings, before: MediaSeen | null): MediaSeen {
  const { codec, ptimeMs, telephoneEvents, held } = settings;
  const { remoteAddress, remotePort } = held && before !== null ? before : settings;
  return { codec, ptimeMs, telephoneEvents, remoteAddress, remotePort, srtp: srtp?.suite ?? null };
}
