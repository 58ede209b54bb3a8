import { describe, expect, test } from 'vitest';
import { Nonces } from '../../src/admission/nonce.ts';
import { PBX, STRANGER, TestClock } from './facts.ts';

const made = (options: { node?: string; key?: string; capacity?: number; clock?: TestClock } = {}) => {
  const clock = options.clock ?? new TestClock();
  const nonces = new Nonces({ key: 'k'.repeat(32), node: 'node-1', ...options, clock });
  return { clock, nonces, use: (nonce: string, nc = 1) => use(nonces, nonce, nc) };
};

/** true = a fresh use, false = stale. */
const use = (nonces: Nonces, nonce: string, nc: number) => {
  const open = nonces.open(nonce, PBX);
  return open !== null && nonces.count(open, nc);
};

describe('a nonce', () => {
  test('names the node that made it, and needs no quoting', () => {
    const { nonces } = made({ node: 'eu west/1' });
    expect(nonces.issue(PBX)).toMatch(/^eu_west_1\.[\w.-]+$/);
  });

  test('is another one every time', () => {
    const { nonces } = made();
    expect(nonces.issue(PBX)).not.toBe(nonces.issue(PBX));
  });

  test('knows the address that it was issued to, without showing it', () => {
    const { nonces } = made();
    const nonce = nonces.issue(PBX);
    expect(nonce).not.toContain(PBX);
    expect(nonces.open(nonce, PBX)?.issuedToSource).toBe(true);
    expect(nonces.open(nonce, STRANGER)?.issuedToSource).toBe(false);
  });

  test('is good for 300 s, to the millisecond', () => {
    const { clock, nonces } = made();
    const nonce = nonces.issue(PBX);
    clock.advance(300_000);
    expect(nonces.open(nonce, PBX)).not.toBeNull();
    clock.advance(1);
    expect(nonces.open(nonce, PBX)).toBeNull();
  });

  test('of another node, or of another key, is not good here', () => {
    const { clock, nonces } = made();
    expect(nonces.open(made({ node: 'node-2', clock }).nonces.issue(PBX), PBX)).toBeNull();
    expect(nonces.open(made({ key: 'other', clock }).nonces.issue(PBX), PBX)).toBeNull();
  });

  test('that was changed in any place is not good', () => {
    const { nonces } = made();
    const parts = nonces.issue(PBX).split('.');
    parts.forEach((part, index) => {
      const changed = parts.with(index, `${part.startsWith('0') ? '1' : '0'}${part.slice(1)}`);
      expect(nonces.open(changed.join('.'), PBX)).toBeNull();
    });
    for (const bad of ['', '.', '....', `${parts.join('.')}.x`, 'x'.repeat(5000)])
      expect(nonces.open(bad, PBX)).toBeNull();
  });
});

describe('nc', () => {
  test('counts up, with gaps; the same one again is a replay', () => {
    const { nonces, use } = made();
    const nonce = nonces.issue(PBX);
    expect([1, 2, 2, 1, 5, 5, 100].map((nc) => use(nonce, nc))).toEqual([
      true,
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  test('may arrive out of order, each one once, and not from too far behind', () => {
    const { nonces, use } = made();
    const nonce = nonces.issue(PBX);
    expect([40, 39, 9, 9, 8, 39].map((nc) => use(nonce, nc))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test('may jump as far as it likes, and what was used stays used', () => {
    const { nonces, use } = made();
    const nonce = nonces.issue(PBX);
    expect([1, 32, 1, 33, 2, 0xffffffff, 0xfffffffe, 33].map((nc) => use(nonce, nc))).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  test('after a jump by the whole window is judged anew', () => {
    const { nonces, use } = made();
    const nonce = nonces.issue(PBX);
    expect([40, 39, 72, 71, 41, 40].map((nc) => use(nonce, nc))).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
  });

  test('of one nonce is not that of another', () => {
    const { nonces, use } = made();
    expect([use(nonces.issue(PBX)), use(nonces.issue(PBX))]).toEqual([true, true]);
  });
});

describe('the table', () => {
  test('holds only nonces that came back', () => {
    const { nonces } = made();
    for (let i = 0; i < 100; i++) nonces.issue(PBX);
    expect(nonces.size).toBe(0);
  });

  test('is bounded, and what it has forgotten is stale and never fresh again', () => {
    const { clock, nonces, use } = made({ capacity: 3 });
    const used = Array.from({ length: 6 }, () => {
      clock.advance(1);
      const nonce = nonces.issue(PBX);
      expect(use(nonce)).toBe(true);
      return nonce;
    });
    expect(nonces.size).toBe(3);
    expect(used.map((nonce) => use(nonce))).toEqual(Array(6).fill(false));
    expect(used.map((nonce) => use(nonce, 2))).toEqual([false, false, false, true, true, true]);
  });

  test('drops what has expired, without forgetting what has not', () => {
    const { clock, nonces, use } = made({ capacity: 3 });
    use(nonces.issue(PBX));
    use(nonces.issue(PBX));
    clock.advance(299_000);
    const unused = nonces.issue(PBX);
    clock.advance(2000);
    expect(use(nonces.issue(PBX))).toBe(true);
    expect(nonces.size).toBe(1);
    expect(use(unused)).toBe(true);
  });

  test('does not outlive a restart, so nonces from before it are stale', () => {
    const { clock, nonces, use: first } = made();
    const nonce = nonces.issue(PBX);
    expect(first(nonce)).toBe(true);
    clock.advance(1);
    expect(made({ clock }).use(nonce)).toBe(false);
  });
});
