import { decodeBase64 } from '../audio/base64.ts';
import { bytesPerMs, MULAW_8K } from '../audio/format.ts';
import { mulawOfAlaw, translate } from '../audio/g711.ts';
import type { Leg } from '../bridge/leg.ts';
import type { EndReason } from '../errors.ts';
import type { Role } from '../roles.ts';
import { ChunkOrder } from './chunk-order.ts';
import type { StreamCounts } from './stream-counts.ts';
import type { CarrierStart } from './stream-message.ts';

/** What a message of 1 MiB can hold at most; shared by all, as what is in it is copied before the next message is read. */
const decoded = Buffer.allocUnsafeSlow(768 * 1024);
/** Of what goes either way in here. */
export const BYTES_PER_MS = bytesPerMs(MULAW_8K);
/** What a party says before its leg is up is heard then, as far back as this. */
const EARLY_BYTES = 1000 * BYTES_PER_MS;
/** The party hears in pieces of 20 ms, of which so many make a message at most. */
const PIECE_BYTES = 20 * BYTES_PER_MS;
const MESSAGE_BYTES = 100 * BYTES_PER_MS;
const piece = Buffer.allocUnsafeSlow(MESSAGE_BYTES);
/** Of what a client that is behind cannot be sent, so much is kept: it would be late, and stay late. */
const KEPT_BYTES = 200 * BYTES_PER_MS;
/** Carriers do not tell how long a key was down. */
const PRESS_MS = 100;

type Port = Awaited<ReturnType<Leg['startStream']>>;

export interface StreamLegOptions {
  leg: Leg;
  /** How the client numbers its speech. */
  numbers: 'gapless' | 'rising';
  /** Of what it says. */
  codec: CarrierStart['codec'];
  counts: StreamCounts;
  /** Seconds without audio of the party until it is hung up; 0 = never, null = as with any call. */
  timeoutSeconds: number | null;
  /** ms since the client was heard of in any way. */
  silentForMs: () => number;
  /** The leg has ended by something else than the client. */
  onEnded: (reason: EndReason) => void;
}

/** One party that comes by WebSocket: its leg of the bridge, and the audio between that and the client's messages. */
export class StreamLeg {
  readonly #leg: Leg;
  readonly #options: StreamLegOptions;
  readonly #order: ChunkOrder;
  #port: Port | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #dropped = false;

  constructor(options: StreamLegOptions) {
    this.#options = options;
    this.#leg = options.leg;
    this.#order = new ChunkOrder(options.numbers);
  }

  get role(): Role {
    return this.#leg.role;
  }

  /**
   * Resolves when the party is in the session.
   * @throws Refusal `session_ended`, `no_media_ports`, `pipeline_unavailable`; `Ended` when it has ended meanwhile
   */
  async start(): Promise<void> {
    const { onEnded, silentForMs, timeoutSeconds } = this.#options;
    const port = await this.#leg.startStream({ codec: 'PCMU', timeoutSeconds });
    this.#leg.answered({ hangUp: async (reason) => onEnded(reason), silentForMs });
    this.#leg.acknowledged();
    this.#port = port;
    for (const audio of this.#early.splice(0)) port.say(audio);
  }

  /** @returns false when the payload is not base64 */
  say(sequence: number | undefined, payload: string): boolean {
    const audio = decodeBase64(payload, decoded);
    if (audio === undefined) return false;
    if (this.#options.codec === 'PCMA') translate(audio, mulawOfAlaw);
    if (!this.#order.take(sequence, audio, (due) => this.#say(due))) this.#options.counts.messages.repeated++;
    return true;
  }

  /** A key was pressed. */
  press(digit: string): void {
    this.#leg.keyPressed({ digit, durationMs: PRESS_MS, method: 'stream' });
  }

  /** What the party hears next, mu-law, 20 to 100 ms; valid until the next call. @returns undefined when there is nothing */
  hear(): Buffer | undefined {
    const heard = this.#port?.heard;
    if (heard === undefined || heard.readable < PIECE_BYTES) return undefined;
    const length = Math.min(heard.readable - (heard.readable % PIECE_BYTES), MESSAGE_BYTES);
    return piece.subarray(0, heard.read(piece, 0, length));
  }

  /** The client is behind: the oldest of what it is to hear goes. */
  skip(): void {
    const heard = this.#port?.heard;
    while (heard !== undefined && heard.readable > KEPT_BYTES) {
      const dropped = heard.read(piece, 0, PIECE_BYTES);
      this.#options.counts.droppedMs += dropped / BYTES_PER_MS;
      this.#dropped = true;
    }
  }

  /** Whether anything was dropped since the last call. */
  takeDropped(): boolean {
    const dropped = this.#dropped;
    this.#dropped = false;
    return dropped;
  }

  /** The client is gone: nobody needs to be told. */
  end(reason: EndReason): void {
    this.#leg.end(this.#port === undefined ? 'canceled' : reason, true);
  }

  /** The set-up came to nothing. */
  release(): void {
    this.#leg.release();
  }

  #say(audio: Buffer): void {
    if (this.#port !== undefined) {
      this.#port.say(audio);
      return;
    }
    this.#early.push(Buffer.from(audio.subarray(Math.max(0, audio.length - EARLY_BYTES))));
    this.#earlyBytes += audio.length;
    while (this.#earlyBytes > EARLY_BYTES && this.#early.length > 1)
      this.#earlyBytes -= (this.#early.shift() as Buffer).length;
  }
}
