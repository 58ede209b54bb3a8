import { describe, expect, it } from 'vitest';
import { target } from './fuzz.ts';
import { targets } from './targets.ts';

const MUTANTS = 2_000;

describe(`${MUTANTS} mutants, none of which makes its reader throw or takes long`, {
  timeout: 180_000,
}, () => {
  it.each(targets)('$name', (reader) => {
    const { checked } = reader.fuzz(1, MUTANTS);
    // The check is worth something only when many of them get that far.
    expect(checked).toBeGreaterThan(MUTANTS / 20);
  });
});

describe('the fuzzer', () => {
  const bytes = (random: (below: number) => number) => Buffer.from([random(256)]);

  it('gives the same mutants for the same seed', () => {
    const mutants = (seed: number): number[] => {
      const made: number[] = [];
      const mutant = (random: (below: number) => number) => {
        made.push(random(256));
        return Buffer.from(made.slice(-1));
      };
      target({ name: 'maker', mutant, read: () => {} }).fuzz(seed, 20);
      return made;
    };
    expect(mutants(7)).toEqual(mutants(7));
    expect(mutants(7)).not.toEqual(mutants(8));
  });

  it('names the mutant at which a reader throws', () => {
    const picky = target({
      name: 'picky',
      mutant: bytes,
      read: ([byte]) => {
        if (byte === 65) throw new TypeError('no A');
      },
    });
    expect(() => picky.fuzz(3, 10_000)).toThrow(/^picky, seed 3, mutant \d+: no A\n"A"/);
  });

  it('names the mutant that takes long, whenever it is read', () => {
    const slow = target({
      name: 'slow',
      mutant: bytes,
      read: ([byte]) => {
        const end = performance.now() + (byte === 65 ? 8 : 0);
        while (performance.now() < end);
      },
    });
    expect(() => slow.fuzz(3, 10_000)).toThrow(/^slow, seed 3, mutant \d+: reading it took/);
  });
});
