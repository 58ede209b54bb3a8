/**
 * HMAC-SHA1 (RFC 2104, FIPS 180-4) over a packet and a 32-bit word, for SRTP. Ours, because it runs twice per packet and
 * call: the key's pads are hashed once, nothing is allocated, and it takes half the time of `createHmac`.
 */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 20;
const INITIAL = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);

/** The message schedule; calls do not overlap, so all share one. */
const schedule = new Int32Array(80);

export class HmacSha1 {
  /** State after the inner and the outer pad. */
  readonly #inner: Int32Array;
  readonly #outer: Int32Array;
  readonly #state = new Int32Array(5);
  /** What does not fill a block: the rest of the packet, the word, padding and length. */
  readonly #tail = new Uint8Array(2 * BLOCK_BYTES);
  /** The inner digest, padded. */
  readonly #last = new Uint8Array(BLOCK_BYTES);

  /** @param key at most 64 bytes; SRTP's has 20 */
  constructor(key: Uint8Array) {
    this.#inner = stateAfter(key, 0x36);
    this.#outer = stateAfter(key, 0x5c);
    this.#last[DIGEST_BYTES] = 0x80;
    writeWord(this.#last, BLOCK_BYTES - 4, 8 * (BLOCK_BYTES + DIGEST_BYTES));
  }

  /**
   * The digest of `bytes[0, length)` followed by `word`.
   * @returns 20 bytes, good until the next call
   */
  digest(bytes: Uint8Array, length: number, word: number): Uint8Array {
    const state = this.#state;
    state.set(this.#inner);
    let offset = 0;
    for (; offset + BLOCK_BYTES <= length; offset += BLOCK_BYTES) compress(state, bytes, offset);
    this.#finishInner(bytes, offset, length, word);
    for (let i = 0; i < 5; i++) writeWord(this.#last, 4 * i, state[i] as number);
    state.set(this.#outer);
    compress(state, this.#last, 0);
    for (let i = 0; i < 5; i++) writeWord(this.#tail, 4 * i, state[i] as number);
    return this.#tail;
  }

  #finishInner(bytes: Uint8Array, from: number, length: number, word: number): void {
    const tail = this.#tail.fill(0);
    let end = 0;
    for (let i = from; i < length; i++) tail[end++] = bytes[i] as number;
    writeWord(tail, end, word);
    tail[end + 4] = 0x80;
    const blocks = end + 4 + 1 + 8 > BLOCK_BYTES ? 2 : 1;
    writeWord(tail, blocks * BLOCK_BYTES - 4, 8 * (BLOCK_BYTES + length + 4));
    compress(this.#state, tail, 0);
    if (blocks === 2) compress(this.#state, tail, BLOCK_BYTES);
  }
}

function stateAfter(key: Uint8Array, pad: number): Int32Array {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(key);
  const state = INITIAL.slice();
  compress(
    state,
    block.map((byte) => byte ^ pad),
    0,
  );
  return state;
}

/** As `writeUint32`, which sees buffers of other kinds too and costs more for it here: this runs a dozen times per packet. */
function writeWord(bytes: Uint8Array, offset: number, word: number): void {
  bytes[offset] = word >>> 24;
  bytes[offset + 1] = word >>> 16;
  bytes[offset + 2] = word >>> 8;
  bytes[offset + 3] = word;
}

/** Takes in one block (FIPS 180-4 §6.1.2). */
function compress(state: Int32Array, bytes: Uint8Array, offset: number): void {
  expand(bytes, offset);
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  for (let i = 0; i < 80; i++) {
    let mixed: number;
    if (i < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (i < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (i < 60) mixed = ((b & c) | (b & d) | (c & d)) - 0x70e44324;
    else mixed = (b ^ c ^ d) - 0x359d3e2a;
    const next = (((a << 5) | (a >>> 27)) + mixed + e + (schedule[i] as number)) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
}

function expand(bytes: Uint8Array, offset: number): void {
  for (let i = 0; i < 16; i++) {
    const at = offset + 4 * i;
    schedule[i] =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
  }
  for (let i = 16; i < 80; i++) {
    const word =
      (schedule[i - 3] as number) ^
      (schedule[i - 8] as number) ^
      (schedule[i - 14] as number) ^
      (schedule[i - 16] as number);
    schedule[i] = (word << 1) | (word >>> 31);
  }
}
