/**
 * When frames of drachtio's protocol leave. A drachtio-server reads into 12,228 bytes, up to 8,192 at a time: a longer
 * frame makes it deaf for ever, and what is left of a frame of more than 4,036 bytes leaves no room for the next read,
 * which drops the connection. So a long frame goes alone: after the answers to all before it, and before all after it.
 * Pure; every frame is answered once.
 */
const FRAME_MOST = 12_000;
const SHORT_MOST = 4_000;

interface Frame {
  id: string;
  bytes: Buffer;
}

export class FrameQueue {
  readonly #write: (bytes: Buffer) => void;
  readonly #unanswered = new Set<string>();
  readonly #waiting: Frame[] = [];
  #longOnItsWay = false;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** How many have to wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** @throws RangeError when it is too long */
  add(id: string, bytes: Buffer): void {
    if (bytes.length > FRAME_MOST)
      throw new RangeError(`${bytes.length} bytes are too much for a drachtio-server`);
    this.#waiting.push({ id, bytes });
    this.#send();
  }

  answered(id: string): void {
    this.#unanswered.delete(id);
    if (this.#unanswered.size === 0) this.#longOnItsWay = false;
    this.#send();
  }

  #send(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#mayGo(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#unanswered.add(next.id);
      this.#longOnItsWay = next.bytes.length > SHORT_MOST;
      this.#write(next.bytes);
    }
  }

  #mayGo({ bytes }: Frame): boolean {
    if (this.#longOnItsWay) return false;
    return bytes.length <= SHORT_MOST || this.#unanswered.size === 0;
  }
}
