import { describe, expect, it } from 'vitest';
import { SourceRate } from '../../src/sip-engine/source-rate.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';

describe('the rate of a source', () => {
  it('is bounded within a second, apart from those of others', () => {
    const clock = new FakeEngineClock();
    const rate = new SourceRate(2, clock);
    const admitted = (address: string) => [1, 2, 3].map(() => rate.admits(address));
    expect(admitted('192.0.2.1')).toEqual([true, true, false]);
    expect(admitted('2001:db8::1')).toEqual([true, true, false]);
    expect(rate.admits('2001:db8::2')).toBe(false);
    clock.advance(999);
    expect(rate.admits('192.0.2.1')).toBe(false);
    clock.advance(1);
    expect(admitted('192.0.2.1')).toEqual([true, true, false]);
  });
});
