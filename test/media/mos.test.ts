import { describe, expect, it } from 'vitest';
import { mosOf } from '../../src/media/mos.ts';

const clean = { codec: 'PCMU', loss: 0, delayMs: 0 };

describe('the MOS of a leg', () => {
  it('is 4.41 for a clean G.711 call (R = 93.2, G.107 annex B)', () => {
    expect(mosOf(clean)).toBeCloseTo(4.41, 2);
  });

  it.each([
    // Ie,eff = 95 * Ppl / (Ppl + 25.1), G.107 equation 7-29.
    [0.01, 89.56, 4.33],
    [0.05, 77.42, 3.92],
    [0.2, 51.07, 2.63],
  ])('falls with %f loss to what the equations of G.107 give', (loss, rating, mos) => {
    const r = rating;
    expect(mosOf({ ...clean, loss })).toBeCloseTo(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, 2);
    expect(mosOf({ ...clean, loss })).toBeCloseTo(mos, 1);
  });

  it('does not mind 100 ms of delay, and minds 400', () => {
    expect(mosOf({ ...clean, delayMs: 100 })).toBe(mosOf(clean));
    // Idd at 400 ms is 24.1 (G.107 equation 7-27).
    expect(mosOf({ ...clean, delayMs: 400 })).toBeCloseTo(3.55, 1);
  });

  it('stays between 1 and 4.5, whatever the numbers', () => {
    for (const loss of [-1, 0, 0.5, 1, 7]) {
      for (const delayMs of [-5, 0, 1e4, 1e9]) {
        const mos = mosOf({ codec: 'no such', loss, delayMs });
        expect(mos >= 1 && mos <= 4.5).toBe(true);
      }
    }
  });
});
