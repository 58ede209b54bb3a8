import { type AudioFormat, bytesPerMs, MULAW_8K } from '../audio/format.ts';
import { AudioRing } from '../audio/ring.ts';
import type { Hearing } from './hearing.ts';
import type { MediaEvent, MediaPort, MediaPortOptions, MediaStats } from './media-port.ts';
import { StatsBlock } from './stats-block.ts';
import type { ToWorker } from './worker-protocol.ts';

/** What a ring holds at least. */
const RING_MS = 1000;

/** The next power of two of bytes. */
const ringFor = (format: AudioFormat, ms: number): AudioRing =>
  AudioRing.create(2 ** Math.ceil(Math.log2(ms * bytesPerMs(format))));

/** The main thread's end of a leg in a media worker, of either kind; `WorkerHost` moves its messages. */
export class LegPort implements MediaPort {
  readonly id: number;
  readonly inbound: AudioRing;
  readonly outbound: AudioRing;
  readonly #inboundFormat: AudioFormat;
  readonly #outboundFormat: AudioFormat;
  readonly #options: MediaPortOptions;
  readonly #post: (message: ToWorker) => void;
  readonly #stats = StatsBlock.create();
  readonly #closed = Promise.withResolvers<MediaStats>();
  #state: 'open' | 'closing' | 'closed' = 'open';

  /** @param inboundMs what the inbound ring holds at least */
  constructor(id: number, options: MediaPortOptions, post: (message: ToWorker) => void, inboundMs = RING_MS) {
    this.id = id;
    this.#options = options;
    this.#inboundFormat = options.inboundFormat ?? MULAW_8K;
    this.#outboundFormat = options.outboundFormat ?? MULAW_8K;
    this.inbound = ringFor(this.#inboundFormat, inboundMs);
    this.outbound = ringFor(this.#outboundFormat, RING_MS);
    this.#post = post;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** What a worker needs of a leg of any kind. */
  commonSetup() {
    return {
      leg: this.id,
      timeoutSeconds: this.#options.timeoutSeconds,
      inbound: this.inbound.buffer,
      inboundFormat: this.#inboundFormat,
      outbound: this.outbound.buffer,
      outboundFormat: this.#outboundFormat,
      stats: this.#stats.buffer,
    };
  }

  /** Tells the worker something, while there is anything to tell. */
  tell(message: ToWorker): void {
    if (this.isOpen) this.#post(message);
  }

  hear({ translation, original, waiting }: Hearing): void {
    const { from } = original ?? {};
    // Any other port has no number, as one that has ended has none in the worker any more.
    const number = from instanceof LegPort && from.isOpen ? from.id : undefined;
    const voice = original && number !== undefined ? { ...original, from: number } : null;
    this.tell({ type: 'hear', leg: this.id, hearing: { translation, original: voice, waiting } });
  }

  startSending(): void {
    this.tell({ type: 'start', leg: this.id });
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
    this.tell({ type: 'close', leg: this.id });
    if (this.isOpen) this.#state = 'closing';
    return this.#closed.promise;
  }

  /** The worker reports something; what comes after `close()` interests nobody any more. */
  report(event: MediaEvent): void {
    if (this.isOpen) this.#options.onEvent(event);
  }

  /** The worker has let go of the leg, or is gone. */
  finish(): void {
    this.#state = 'closed';
    this.#closed.resolve(this.stats());
  }
}
