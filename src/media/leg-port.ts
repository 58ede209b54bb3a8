import { type AudioFormat, bytesPerMs, MULAW_8K } from '../audio/format.ts';
import { AudioRing } from '../audio/ring.ts';
import type { Hearing } from './hearing.ts';
import type { MediaEvent, MediaPort, MediaPortOptions, MediaSettings, MediaStats } from './media-port.ts';
import { StatsBlock } from './stats-block.ts';
import type { LegSetup, ToWorker } from './worker-protocol.ts';

/** A ring holds at least this: the next power of two of bytes. */
const RING_MS = 1000;

const ringFor = (format: AudioFormat): AudioRing =>
  AudioRing.create(2 ** Math.ceil(Math.log2(RING_MS * bytesPerMs(format))));

/** The main thread's end of a leg in a media worker; `WorkerHost` moves its messages. */
export class LegPort implements MediaPort {
  readonly id: number;
  readonly address: string;
  readonly rtpPort: number;
  readonly inbound: AudioRing;
  readonly outbound: AudioRing;
  readonly #inboundFormat: AudioFormat;
  readonly #outboundFormat: AudioFormat;
  readonly #options: MediaPortOptions;
  readonly #post: (message: ToWorker) => void;
  readonly #stats = StatsBlock.create();
  readonly #closed = Promise.withResolvers<MediaStats>();
  /** Takes the number of keys that the run under way has pressed. */
  #onPressed: ((count: number) => void) | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';

  constructor(
    id: number,
    place: { address: string; rtpPort: number },
    options: MediaPortOptions,
    post: (message: ToWorker) => void,
  ) {
    this.id = id;
    this.address = place.address;
    this.rtpPort = place.rtpPort;
    this.#options = options;
    this.#inboundFormat = options.inboundFormat ?? MULAW_8K;
    this.#outboundFormat = options.outboundFormat ?? MULAW_8K;
    this.inbound = ringFor(this.#inboundFormat);
    this.outbound = ringFor(this.#outboundFormat);
    this.#post = post;
  }

  /** @param address the local address to bind */
  setup(address: string): LegSetup {
    return {
      leg: this.id,
      address,
      rtpPort: this.rtpPort,
      callerAddress: this.#options.callerAddress,
      timeoutSeconds: this.#options.timeoutSeconds,
      inbound: this.inbound.buffer,
      inboundFormat: this.#inboundFormat,
      outbound: this.outbound.buffer,
      outboundFormat: this.#outboundFormat,
      stats: this.#stats.buffer,
    };
  }

  configure(settings: MediaSettings): void {
    if (this.#state === 'open') this.#post({ type: 'configure', leg: this.id, settings });
  }

  hear({ translation, original, waiting }: Hearing): void {
    if (this.#state !== 'open') return;
    const { from } = original ?? {};
    // Any other port has no number, as one that has ended has none in the worker any more.
    const number = from instanceof LegPort && from.#state === 'open' ? from.id : undefined;
    const voice = original && number !== undefined ? { ...original, from: number } : null;
    this.#post({ type: 'hear', leg: this.id, hearing: { translation, original: voice, waiting } });
  }

  startSending(): void {
    if (this.#state === 'open') this.#post({ type: 'start', leg: this.id });
  }

  press(digits: string, durationMs: number, gapMs: number): Promise<number> {
    if (this.#state !== 'open') return Promise.resolve(0);
    return new Promise((resolve) => {
      this.#onPressed = resolve;
      this.#post({ type: 'press', leg: this.id, digits, durationMs, gapMs });
    });
  }

  /** The worker's run of key presses is over. */
  pressed(count: number): void {
    this.#onPressed?.(count);
    this.#onPressed = undefined;
  }

  stats(): MediaStats {
    return {
      ...this.#stats.read(),
      toPipeline: this.inbound.latency.read(),
      fromPipeline: this.outbound.latency.read(),
      direct: this.#stats.direct.read(),
    };
  }

  close(): Promise<MediaStats> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#post({ type: 'close', leg: this.id });
    }
    return this.#closed.promise;
  }

  /** The worker reports something; what comes after `close()` interests nobody any more. */
  report(event: MediaEvent): void {
    if (this.#state === 'open') this.#options.onEvent(event);
  }

  /** The sockets are closed, or the worker that had them is gone. */
  finish(): void {
    this.#state = 'closed';
    this.pressed(0);
    this.#closed.resolve(this.stats());
  }
}
