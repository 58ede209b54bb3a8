/** The frames of drachtio's TCP protocol, as both of its ends read them. */

const HASH = 0x23;

/** The byte stream is not one of frames; the connection is of no more use. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}

/** Cuts a TCP stream into frames, however it was split: `<decimal byte length>#<payload>`. Pure. */
export class FrameReader {
  readonly #mostBytes: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Bytes that the frame being read needs in all; 0 while its length is not known. */
  #wanted = 0;

  /** @param mostBytes of one payload */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /**
   * @returns the payloads that `bytes` completes, in order
   * @throws FrameError on a length that is not a number, or over the cap
   */
  feed(bytes: Buffer): Buffer[] {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#wanted > this.#pendingBytes) return [];
    const data = this.#pending.length === 1 ? bytes : Buffer.concat(this.#pending, this.#pendingBytes);
    const payloads: Buffer[] = [];
    let at = 0;
    this.#wanted = 0;
    while (at < data.length) {
      const length = readLength(data, at, this.#mostBytes);
      if (length === undefined) break;
      const end = length.payloadAt + length.bytes;
      if (end > data.length) {
        this.#wanted = end - at;
        break;
      }
      payloads.push(data.subarray(length.payloadAt, end));
      at = end;
    }
    this.#pending = at < data.length ? [data.subarray(at)] : [];
    this.#pendingBytes = data.length - at;
    return payloads;
  }
}

/** The length prefix at `at`, or undefined while it is not complete. */
function readLength(
  data: Buffer,
  at: number,
  mostBytes: number,
): { bytes: number; payloadAt: number } | undefined {
  const mostDigits = String(mostBytes).length;
  let bytes = 0;
  for (let i = at; i < data.length; i += 1) {
    const byte = data[i]!;
    if (byte === HASH) {
      if (bytes === 0) throw new FrameError('a frame without length');
      if (bytes > mostBytes) throw new FrameError(`a frame of ${bytes} bytes; ${mostBytes} are allowed`);
      return { bytes, payloadAt: i + 1 };
    }
    const digit = byte - 0x30;
    if (digit < 0 || digit > 9 || i - at >= mostDigits)
      throw new FrameError('a frame length is not a number');
    bytes = bytes * 10 + digit;
  }
  return undefined;
}
