import { describe, expect, it } from 'vitest';
import { again, go, type StateTable, start, stay, stop } from '../../src/sip-engine/state-machine.ts';
import { T1, T2 } from '../../src/sip-engine/timers.ts';
import { MachineRun } from './machine-run.ts';

/** What runs the tables of the transactions, on a table of its own. */
const table: StateTable<'one' | 'two' | 'terminated', 'begin' | 'hurry' | 'calm' | 'end'> = {
  one: {
    begin: stay(start('E'), start('F')),
    E: stay('send', again('E')),
    hurry: stay(again('E', T2)),
    calm: stay(stop('E')),
    F: go('terminated', 'timeout'),
    end: go('two', 'pass', start('K')),
  },
  two: { K: go('terminated') },
  terminated: {},
};

describe('a state machine', () => {
  it('ignores an event that its state has no cell for', () => {
    const run = new MachineRun(table, 'two', 'UDP');
    expect(run.on('begin')).toEqual(['two']);
    expect(run.clock.pending).toBe(0);
  });

  it('repeats at twice the interval up to its cap, or at a fixed one', () => {
    const run = new MachineRun(table, 'one', 'UDP').through('begin');
    expect(run.after(11_500)).toEqual([
      ...[500, 1_500, 3_500, 7_500, 11_500].map((at) => `send at ${at}`),
      'one',
    ]);
    expect(run.through('hurry').after(T2)).toEqual(['send at 15500', 'one']);
  });

  it('stops what it is told to stop, and nothing else', () => {
    const run = new MachineRun(table, 'one', 'UDP').through('begin', 'calm');
    expect(run.after(64 * T1)).toEqual(['timeout', 'ended', 'terminated']);
  });

  it('does not start a retransmission timer over TCP', () => {
    const run = new MachineRun(table, 'one', 'TCP').through('begin');
    expect(run.clock.pending).toBe(1);
  });

  it('lets a timer that is 0 over TCP fire at once, after the other actions', () => {
    expect(new MachineRun(table, 'one', 'TCP').on('end', 'it')).toEqual(['pass it', 'ended', 'terminated']);
  });

  it('ends once, with no timer left', () => {
    const run = new MachineRun(table, 'one', 'UDP').through('begin', 'end');
    expect(run.after(100_000)).toEqual(['ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('that is abandoned tells nobody', () => {
    const run = new MachineRun(table, 'one', 'UDP').through('begin');
    run.machine.abandon();
    expect(run.after(100_000)).toEqual(['one']);
  });
});
