import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';

/**
 * Nonces of digest challenges: `<node>.<issued, ms, base 36>.<chance>.<source tag>.<signature>`. Nothing is kept of a
 * challenge; only nonces that came back with an answer are, to count `nc`. Source: RFC 7616 §3.3, decisions §3.
 */

const NONCE_LIFETIME_MS = 300_000;
const DEFAULT_CAPACITY = 50_000;
/** `nc` may arrive out of order by this many: requests of one peer can overtake each other over UDP. */
const WINDOW = 32;

/** A nonce that is ours and young enough. */
export interface OpenNonce {
  /** What its use is counted under. */
  readonly id: string;
  readonly issuedAt: number;
  /** It was issued to the address that now answers. */
  readonly issuedToSource: boolean;
}

interface Uses {
  issuedAt: number;
  highest: number;
  /** Bit i: `highest - i` was used. */
  seen: number;
}

export class Nonces {
  readonly #node: string;
  readonly #key: string | Buffer;
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #uses = new Map<string, Uses>();
  /** What was issued before this has been forgotten (restart, full table), so that it may have been used. */
  #rememberedFrom: number;

  /**
   * @param key the same on all nodes
   * @param node name of this node: letters, digits, `_` and `-`
   */
  constructor(options: { key: string | Buffer; node: string; clock: Clock; capacity?: number }) {
    this.#key = options.key;
    this.#node = options.node.replace(/[^\w-]/g, '_').slice(0, 64);
    this.#clock = options.clock;
    this.#capacity = options.capacity ?? DEFAULT_CAPACITY;
    this.#rememberedFrom = options.clock.now();
  }

  /** @param source address that is challenged; an answer from elsewhere is judged, but never counted for a ban */
  issue(source: string): string {
    const chance = randomBytes(9).toString('base64url');
    const issued = Math.floor(this.#clock.now()).toString(36);
    const body = `${this.#node}.${issued}.${chance}.${this.#sourceTag(chance, source)}`;
    return `${body}.${this.#mac(body)}`;
  }

  /** @returns null for a nonce that is unknown, expired, forgotten or of another node: it is stale */
  open(nonce: string, source: string): OpenNonce | null {
    const [node, issued, chance, tag, signature, ...rest] = nonce.slice(0, 256).split('.');
    if (!issued || !chance || !signature || rest.length > 0) return null;
    if (!isSame(signature, this.#mac(`${node}.${issued}.${chance}.${tag}`)) || node !== this.#node)
      return null;
    const issuedAt = Number.parseInt(issued, 36);
    if (issuedAt + NONCE_LIFETIME_MS < this.#clock.now()) return null;
    if (issuedAt < this.#rememberedFrom && !this.#uses.has(chance)) return null;
    return { id: chance, issuedAt, issuedToSource: tag === this.#sourceTag(chance, source) };
  }

  /** Counts a use. @returns false when this `nc` was used before: a replay, because retransmissions end below us */
  count({ id, issuedAt }: OpenNonce, nc: number): boolean {
    const uses = this.#uses.get(id);
    if (uses === undefined) {
      this.#makeRoom();
      this.#uses.set(id, { issuedAt, highest: nc, seen: 1 });
      return true;
    }
    const behind = uses.highest - nc;
    if (behind < 0) {
      uses.seen = -behind < WINDOW ? (uses.seen << -behind) | 1 : 1;
      uses.highest = nc;
      return true;
    }
    const bit = 1 << behind;
    if (behind >= WINDOW || (uses.seen & bit) !== 0) return false;
    uses.seen |= bit;
    return true;
  }

  /** Nonces whose use is remembered. */
  get size(): number {
    return this.#uses.size;
  }

  /** Drops what has expired; a full table forgets its oldest, and from then on takes everything as old for stale. */
  #makeRoom(): void {
    const expired = this.#clock.now() - NONCE_LIFETIME_MS;
    for (const [id, { issuedAt }] of this.#uses) {
      const full = this.#uses.size >= this.#capacity;
      if (issuedAt >= expired && !full) return;
      this.#uses.delete(id);
      if (issuedAt >= expired) this.#rememberedFrom = Math.max(this.#rememberedFrom, issuedAt + 1);
    }
  }

  #sourceTag(chance: string, source: string): string {
    return this.#mac(`${chance} ${source}`).slice(0, 12);
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url').slice(0, 32);
  }
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
