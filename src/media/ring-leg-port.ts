import { AudioRing } from '../audio/ring.ts';
import { LegPort } from './leg-port.ts';
import type { MediaStats, RingPort, RingPortOptions, StreamCodec } from './media-port.ts';
import type { RingLegSetup, ToWorker } from './worker-protocol.ts';

/** 2 s of G.711: a second that is too early is for the worker to judge, beside a long message. */
const SAID_BYTES = 16_384;
/** A second that comes at once after a stall of its network, and the pause before it. */
const INBOUND_MS = 2000;
/** 1 s. */
const HEARD_BYTES = 8192;

/** The main thread's end of a leg that comes as a stream. */
export class RingLegPort extends LegPort implements RingPort {
  readonly heard = AudioRing.create(HEARD_BYTES);
  readonly #said = AudioRing.create(SAID_BYTES);
  readonly #codec: StreamCodec;
  /** Messages of which not all found room: the worker stood still, or the message is longer than anybody sends. */
  #overrun = 0;

  constructor(id: number, options: RingPortOptions, post: (message: ToWorker) => void) {
    super(id, options, post, INBOUND_MS);
    this.#codec = options.codec;
  }

  setup(): RingLegSetup {
    return {
      kind: 'ring',
      ...this.commonSetup(),
      codec: this.#codec,
      said: this.#said.buffer,
      heard: this.heard.buffer,
    };
  }

  say(audio: Uint8Array): void {
    if (!this.isOpen) return;
    if (this.#said.write(audio) < audio.length) this.#overrun++;
    this.#said.latency.note(this.#said.written, performance.now());
  }

  hold(held: boolean): void {
    this.tell({ type: 'hold', leg: this.id, held });
  }

  override stats(): MediaStats {
    const stats = super.stats();
    return { ...stats, packetsDroppedOverrun: stats.packetsDroppedOverrun + this.#overrun };
  }
}
