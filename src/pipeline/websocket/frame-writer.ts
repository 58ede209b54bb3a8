import { randomFillSync } from 'node:crypto';
import { CLOSE, FIN, TEXT } from './opcodes.ts';

/**
 * The frames of a WebSocket client (RFC 6455 §5.2, §5.3): each one masked, and a whole message. Written for the path of
 * every chunk of speech: header and payload lie in one piece, in memory that is used again, and the mask is laid over
 * four bytes at a time. Pure but for the random masks.
 */
const SLAB_BYTES = 16 * 1024;
/** Before a payload there is room for the longest header, and the payload lies on a multiple of four. */
const HEADER_ROOM = 16;
const MASK_BYTES = 4;
const MASKS = 2048;

export class FrameWriter {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #words = new Uint32Array(this.#slab.buffer);
  /** Where the next frame may lie. */
  #at = 0;
  #end = 0;
  readonly #masks = new Uint32Array(MASKS);
  #usedMasks = MASKS;

  /** @returns the frame, valid until the next one is written unless `handOver` is called before */
  text(text: string): Buffer {
    // No character takes more than three bytes in UTF-8; where that is not room enough, it is worth counting.
    const most = text.length * 3;
    this.#makeRoom(most > SLAB_BYTES / 2 ? Buffer.byteLength(text) : most);
    return this.#finish(TEXT, this.#slab.write(text, this.#at + HEADER_ROOM, 'utf8'));
  }

  /** @param payload up to 125 bytes @returns as `text` does */
  control(opcode: number, payload: Uint8Array): Buffer {
    this.#makeRoom(payload.length);
    this.#slab.set(payload, this.#at + HEADER_ROOM);
    return this.#finish(opcode, payload.length);
  }

  /** @param code of the reason; without one, none is told @returns as `text` does */
  close(code: number | undefined): Buffer {
    return this.control(CLOSE, code === undefined ? new Uint8Array() : Uint8Array.of(code >> 8, code & 0xff));
  }

  /** The last frame is still needed: the next one lies elsewhere. */
  handOver(): void {
    this.#at = this.#end;
  }

  #makeRoom(payloadBytes: number): void {
    const needed = HEADER_ROOM + payloadBytes + MASK_BYTES;
    if (this.#at + needed <= this.#slab.length) return;
    this.#slab = Buffer.allocUnsafeSlow(Math.ceil(Math.max(needed, SLAB_BYTES) / 4) * 4);
    this.#words = new Uint32Array(this.#slab.buffer);
    this.#at = 0;
  }

  /** Puts the header before a payload that lies where it belongs. */
  #finish(opcode: number, length: number): Buffer {
    const slab = this.#slab;
    const payloadAt = this.#at + HEADER_ROOM;
    const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const from = payloadAt - MASK_BYTES - lengthBytes - 2;
    slab[from] = FIN | opcode;
    slab[from + 1] = 0x80 | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
    if (lengthBytes === 2) slab.writeUInt16BE(length, from + 2);
    else if (lengthBytes === 8) slab.writeBigUInt64BE(BigInt(length), from + 2);
    this.#mask(payloadAt / 4, Math.ceil(length / 4));
    const end = payloadAt + length;
    this.#end = Math.ceil(end / 4) * 4;
    return slab.subarray(from, end);
  }

  /** Writes a mask before `count` words, and lays it over them; what lies behind a payload in its last word is nobody's. */
  #mask(first: number, count: number): void {
    if (this.#usedMasks === MASKS) {
      randomFillSync(this.#masks);
      this.#usedMasks = 0;
    }
    const mask = this.#masks[this.#usedMasks++] as number;
    const words = this.#words;
    words[first - 1] = mask;
    const end = first + count;
    for (let i = first; i < end; i++) words[i] = (words[i] as number) ^ mask;
  }
}
