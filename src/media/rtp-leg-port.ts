import { LegPort } from './leg-port.ts';
import type { MediaSettings, RtpPort, RtpPortOptions } from './media-port.ts';
import type { RtpLegSetup, ToWorker } from './worker-protocol.ts';

/** The main thread's end of a leg that speaks RTP. */
export class RtpLegPort extends LegPort implements RtpPort {
  readonly address: string;
  readonly rtpPort: number;
  readonly #callerAddress: string;
  /** Takes the number of keys that the run under way has pressed. */
  #onPressed: ((count: number) => void) | undefined;

  constructor(
    id: number,
    place: { address: string; rtpPort: number },
    options: RtpPortOptions,
    post: (message: ToWorker) => void,
  ) {
    super(id, options, post);
    this.address = place.address;
    this.rtpPort = place.rtpPort;
    this.#callerAddress = options.callerAddress;
  }

  /** @param address the local address to bind */
  setup(address: string): RtpLegSetup {
    return {
      kind: 'rtp',
      ...this.commonSetup(),
      address,
      rtpPort: this.rtpPort,
      callerAddress: this.#callerAddress,
    };
  }

  configure(settings: MediaSettings): void {
    this.tell({ type: 'configure', leg: this.id, settings });
  }

  press(digits: string, durationMs: number, gapMs: number): Promise<number> {
    if (!this.isOpen) return Promise.resolve(0);
    return new Promise((resolve) => {
      this.#onPressed = resolve;
      this.tell({ type: 'press', leg: this.id, digits, durationMs, gapMs });
    });
  }

  /** The worker's run of key presses is over. */
  pressed(count: number): void {
    this.#onPressed?.(count);
    this.#onPressed = undefined;
  }

  override finish(): void {
    this.pressed(0);
    super.finish();
  }
}
