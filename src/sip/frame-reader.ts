/** Bytes of one frame; a SIP message over UDP has 64 kB at most. */
const FRAME_MOST = 1_048_576;
const DIGITS_MOST = 7;

/** Cuts the stream of an engine into frames: `<decimal length>#<payload>`, the length in bytes. Pure. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  /** @returns the payloads that are whole. @throws RangeError when this is no frame; nothing after it can be read */
  feed(bytes: Buffer): string[] {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const payloads: string[] = [];
    for (;;) {
      const start = startOf(rest);
      const end = start && start.at + start.length;
      if (end === undefined || rest.length < end) break;
      payloads.push(rest.toString('utf8', start?.at, end));
      rest = rest.subarray(end);
    }
    this.#rest = Buffer.from(rest);
    return payloads;
  }
}

/** Where a payload begins, and how long it is; undefined before all of that has come. */
function startOf(bytes: Buffer): { at: number; length: number } | undefined {
  const head = bytes.toString('latin1', 0, DIGITS_MOST + 1);
  const digits = /^(\d*)(#?)/.exec(head)?.[1] ?? '';
  const whole = head[digits.length] === '#';
  const length = Number(digits);
  if ((digits.length < head.length && !whole) || digits.length > DIGITS_MOST || length > FRAME_MOST)
    throw new RangeError(`no frame: ${JSON.stringify(head)}`);
  if (!whole) return undefined;
  if (digits === '' || length === 0) throw new RangeError(`no frame: ${JSON.stringify(head)}`);
  return { at: digits.length + 1, length };
}
