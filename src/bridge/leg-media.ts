import type { DtmfMethod, KeyPress } from '../dtmf.ts';
import type {
  MediaPort,
  MediaSettings,
  MediaStats,
  RingPort,
  RtpPort,
  StreamCodec,
} from '../media/media-port.ts';
import type { SrtpSuite } from '../srtp.ts';
import { DigitPlayer, type DigitRun } from './digit-player.ts';
import { KeyPresses } from './key-presses.ts';

export interface LegMediaEvents {
  /** Presses a key at the party's end otherwise than by media. @returns whether it was taken */
  pressOtherwise(digit: string, durationMs: number): Promise<boolean>;
  onPressed(count: number, method: DtmfMethod): void;
  onNotPressed(count: number): void;
}

/** The media of one leg: its port, of either kind, what was agreed for it, and the keys that are pressed at both ends. */
export class LegMedia {
  readonly #presses = new KeyPresses();
  readonly #player: DigitPlayer;
  #rtp: RtpPort | undefined;
  #ring: RingPort | undefined;
  #codec = '';
  #srtp: SrtpSuite | null = null;
  #held = false;
  #hears = false;

  constructor({ pressOtherwise, onPressed, onNotPressed }: LegMediaEvents) {
    this.#player = new DigitPlayer({
      pressByRtp: async ({ digits, durationMs, gapMs }) =>
        (await this.#rtp?.press(digits, durationMs, gapMs)) ?? 0,
      pressByInfo: pressOtherwise,
      onPressed,
      onNotPressed,
    });
  }

  /** The port, once there is one. */
  get port(): MediaPort | undefined {
    return this.#rtp ?? this.#ring;
  }

  /** Empty before it is agreed on. */
  get codec(): string {
    return this.#codec;
  }

  get srtp(): SrtpSuite | null {
    return this.#srtp;
  }

  /** The party is on hold. */
  get held(): boolean {
    return this.#held;
  }

  /** How keys are pressed at the party's end. */
  get method(): DtmfMethod {
    return this.#player.method;
  }

  /** Keys that were pressed so far. */
  get keysReceived(): number {
    return this.#presses.count;
  }

  get keysSent(): number {
    return this.#player.count;
  }

  takeRtp(port: RtpPort): void {
    this.#rtp = port;
  }

  takeRing(port: RingPort, codec: StreamCodec): void {
    this.#ring = port;
    this.#codec = codec;
  }

  /** Applies what offer/answer agreed, first and after every re-INVITE. */
  configure(settings: MediaSettings): void {
    this.#codec = settings.codec;
    this.#srtp = settings.srtp?.suite ?? null;
    this.#held = settings.held;
    this.#rtp?.configure(settings);
    this.#configurePlayer(settings.telephoneEvents.length > 0 ? 'rtp' : 'info');
  }

  /** Puts the party of a stream on hold, or takes it off. */
  hold(held: boolean): void {
    this.#held = held;
    this.#ring?.hold(held);
    this.#configurePlayer(this.method);
  }

  /** The party hears from now on. */
  startSending(): void {
    this.#hears = true;
    this.port?.startSending();
    this.#configurePlayer(this.method);
  }

  /** Takes a key press of the party: of one that is told of in two ways the first counts. */
  keyPressed(press: KeyPress): 'new' | 'known' | 'dropped' {
    return this.#presses.take(press, performance.now());
  }

  /** @throws ApiError `dtmf_queue_full` */
  press(run: DigitRun): void {
    this.#player.play(run);
  }

  stats(): MediaStats | undefined {
    return this.port?.stats();
  }

  /** ms without any audio of the party; below 0 when none has come at all. */
  silentForMs(): number {
    return this.port?.stats().silentForMs ?? -1;
  }

  /** Nothing is pressed any more. */
  stopPressing(): void {
    this.#player.close();
  }

  /** @returns the last counters */
  async close(): Promise<MediaStats | undefined> {
    const last = this.port?.stats();
    return this.port?.close().catch(() => last);
  }

  #configurePlayer(method: DtmfMethod): void {
    this.#player.configure(method, this.#hears && !this.#held);
  }
}
