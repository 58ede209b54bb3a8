import { expect, it } from 'vitest';
import { Faults } from '../../src/sip-engine/faults.ts';
import { newStats } from '../../src/sip-engine/stats.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';

it('an unforeseen error costs its message or timer only: all are counted, one every 10 s is reported', () => {
  const clock = new FakeEngineClock();
  const stats = newStats();
  const reports: string[] = [];
  const faults = new Faults(clock, stats, (stack) => reports.push(stack));
  const fail = faults.guard((text: string) => {
    throw new Error(text);
  });
  fail('first');
  fail('second');
  faults.clock().after(10_000, () => fail.call(undefined, 'third'));
  faults.clock().after(10_001, () => {
    throw new Error('fourth');
  });
  clock.advance(10_001);
  expect(stats.faults).toBe(4);
  expect(reports.map((stack) => stack.split('\n')[0])).toEqual(['Error: first', 'Error: third']);
});
