import { ByteStore } from './byte-store.ts';
import { BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT } from './opcodes.ts';

/**
 * The frames of a WebSocket server (RFC 6455 §5), read from the bytes of a connection however they are cut. Nothing is
 * copied of a message that comes in one frame and one piece, as those with audio do. Whether text is UTF-8 is
 * for its reader to say: what is not costs one message, and not, as RFC 6455 §8.1 has it, the call its connection. Pure.
 */
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const MAX_CONTROL_BYTES = 125;

export interface FrameHandlers {
  /** @param message valid until it returns */
  onText(message: Buffer): void;
  onBinary(): void;
  /** Of pings that come at once the last, which answers them all (§5.5.3). @param payload valid until it returns */
  onPing(payload: Buffer): void;
  onPong(): void;
  /** The last that comes. @param code 1005 where none was told */
  onClose(code: number, reason: string): void;
  /** The peer does not keep to the protocol, or its message is too large; nothing more is read. @param code to close with */
  onProblem(code: number, problem: string): void;
}

export class FrameReader {
  readonly #maxMessageBytes: number;
  readonly #handlers: FrameHandlers;
  /** The beginning of a frame that has not come in full. */
  readonly #begun = new ByteStore();
  /** The payloads of a message so far that comes in several frames, and what it is. */
  readonly #fragments = new ByteStore();
  #fragmented: number | undefined;
  /** The payload of the last ping of what is being read. */
  #ping: Buffer | undefined;
  #isOver = false;

  /** @param maxMessageBytes of all frames of a message together */
  constructor(maxMessageBytes: number, handlers: FrameHandlers) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#handlers = handlers;
  }

  /** Takes what came; it is not needed any more when this returns. */
  push(bytes: Buffer): void {
    if (this.#isOver) return;
    const hasBegun = this.#begun.length > 0;
    if (hasBegun) this.#begun.append(bytes);
    const data = hasBegun ? this.#begun.view : bytes;
    let at = 0;
    for (;;) {
      const length = this.#readFrame(data, at);
      if (this.#isOver || length === 0) break;
      at += length;
    }
    this.#tellPing();
    if (hasBegun) this.#begun.drop(this.#isOver ? data.length : at);
    else if (!this.#isOver && at < data.length) this.#begun.append(data.subarray(at));
  }

  /** Nothing more is read, also of what was pushed already. */
  stop(): void {
    this.#isOver = true;
  }

  #tellPing(): void {
    const payload = this.#ping;
    if (payload === undefined) return;
    this.#ping = undefined;
    if (!this.#isOver) this.#handlers.onPing(payload);
  }

  /** @returns bytes of the frame at `at`, which has been dealt with; 0 while it has not come in full */
  #readFrame(data: Buffer, at: number): number {
    if (data.length < at + 2) return 0;
    const first = data[at] as number;
    const second = data[at + 1] as number;
    const lengthBytes = (second & 0x7f) === 126 ? 2 : (second & 0x7f) === 127 ? 8 : 0;
    const problem = this.#problemOf(first, second);
    if (problem !== undefined) return this.#fail(1002, problem);
    const from = at + 2 + lengthBytes;
    if (data.length < from) return 0;
    const length =
      lengthBytes === 0
        ? second & 0x7f
        : lengthBytes === 2
          ? data.readUInt16BE(at + 2)
          : Number(data.readBigUInt64BE(at + 2));
    const opcode = first & OPCODE;
    if (opcode < CLOSE && this.#fragments.length + length > this.#maxMessageBytes)
      return this.#fail(1009, 'Max payload size exceeded');
    const end = from + length;
    if (data.length < end) return 0;
    const payload = data.subarray(from, end);
    if (opcode >= CLOSE) this.#takeControl(opcode, payload);
    else this.#takeData(opcode, (first & FIN) !== 0, payload);
    return end - at;
  }

  /** @returns what is wrong with the first two bytes of a frame, if anything */
  #problemOf(first: number, second: number): string | undefined {
    const opcode = first & OPCODE;
    if ((first & RESERVED) !== 0) return 'RSV1, RSV2 and RSV3 must be clear';
    if ((second & MASKED) !== 0) return 'MASK must be clear';
    if (opcode === CLOSE || opcode === PING || opcode === PONG) {
      if ((first & FIN) === 0) return 'FIN must be set';
      return second > MAX_CONTROL_BYTES ? `invalid payload length ${second}` : undefined;
    }
    const follows = this.#fragmented !== undefined;
    const isKnown = follows ? opcode === CONTINUATION : opcode === TEXT || opcode === BINARY;
    return isKnown ? undefined : `invalid opcode ${opcode}`;
  }

  #takeData(opcode: number, isLast: boolean, payload: Buffer): void {
    if (isLast && this.#fragmented === undefined) {
      this.#deliver(opcode, payload);
      return;
    }
    this.#fragmented ??= opcode;
    this.#fragments.append(payload);
    if (!isLast) return;
    const begun = this.#fragmented;
    this.#fragmented = undefined;
    this.#deliver(begun, this.#fragments.view);
    this.#fragments.drop(this.#fragments.length);
  }

  #deliver(opcode: number, message: Buffer): void {
    if (opcode === TEXT) this.#handlers.onText(message);
    else this.#handlers.onBinary();
  }

  #takeControl(opcode: number, payload: Buffer): void {
    if (opcode === PING) this.#ping = payload;
    else if (opcode === PONG) this.#handlers.onPong();
    else this.#takeClose(payload);
  }

  #takeClose(payload: Buffer): void {
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    if (payload.length === 1) {
      this.#fail(1002, 'invalid payload length 1');
    } else if (payload.length > 0 && !isCloseCode(code)) {
      this.#fail(1002, `invalid status code ${code}`);
    } else {
      this.#isOver = true;
      this.#handlers.onClose(code, payload.toString('utf8', 2));
    }
  }

  #fail(code: number, problem: string): 0 {
    this.#isOver = true;
    this.#handlers.onProblem(code, problem);
    return 0;
  }
}

/** Whether a peer may tell it (RFC 6455 §7.4). */
function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}
