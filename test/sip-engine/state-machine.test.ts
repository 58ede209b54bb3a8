import { describe, expect, it } from 'vitest';
import { type Action, StateMachine, type StateTable } from '../../src/sip-engine/state-machine.ts';
import { T1, T2, T4 } from '../../src/sip-engine/timers.ts';
import { clientStart, clientTable } from '../../src/sip-engine/transaction-client.ts';
import { inviteClientStart, inviteClientTable } from '../../src/sip-engine/transaction-client-invite.ts';
import { serverTable } from '../../src/sip-engine/transaction-server.ts';
import { inviteServerTable } from '../../src/sip-engine/transaction-server-invite.ts';
import { FakeEngineClock } from '../support/engine-clock.ts';

function run<S extends string, E extends string>(
  table: StateTable<S, E>,
  initial: S,
  reliable: boolean,
  first: readonly Action[] = [],
) {
  const clock = new FakeEngineClock();
  const did: string[] = [];
  const machine = new StateMachine<S, E, string>(table, initial, reliable, clock, {
    send: () => did.push(`send@${clock.monotonic()}`),
    pass: (message) => did.push(`pass ${message ?? 'error'}`),
    ack: () => did.push('ack'),
    timeout: () => did.push('timeout'),
    ended: () => did.push(`ended@${clock.monotonic()}`),
  });
  machine.begin(first);
  /** What happened since the last look. */
  const seen = (): string[] => did.splice(0);
  return { clock, machine, seen };
}

describe('INVITE server transaction (RFC 3261 figure 7, RFC 6026)', () => {
  const started = (reliable = false) => run(inviteServerTable, 'proceeding', reliable);

  it('proceeding: a retransmitted INVITE gets the last provisional response again', () => {
    const { machine, seen } = started();
    machine.handle('provisional');
    machine.handle('request');
    expect(seen()).toEqual(['send@0', 'send@0']);
    expect(machine.state).toBe('proceeding');
  });

  it('proceeding to completed: a failure is repeated at T1, doubling to T2, until timer H', () => {
    const { machine, clock, seen } = started();
    machine.handle('failure');
    clock.advance(64 * T1);
    expect(seen()).toEqual([
      'send@0',
      ...[500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map((at) => `send@${at}`),
      'timeout',
      'ended@32000',
    ]);
    expect(clock.pending).toBe(0);
  });

  it('completed: a retransmitted INVITE gets the failure again', () => {
    const { machine, seen } = started();
    machine.handle('failure');
    machine.handle('request');
    expect(seen()).toEqual(['send@0', 'send@0']);
  });

  it('completed to confirmed: the ACK stops the repeating; confirmed ends after timer I', () => {
    const { machine, clock, seen } = started();
    machine.handle('failure');
    machine.handle('ack');
    expect(machine.state).toBe('confirmed');
    machine.handle('ack');
    machine.handle('request');
    clock.advance(T4);
    expect(seen()).toEqual(['send@0', 'ended@5000']);
    expect(clock.pending).toBe(0);
  });

  it('over TCP nothing is repeated and confirmed ends at once', () => {
    const { machine, clock, seen } = started(true);
    machine.handle('failure');
    clock.advance(20_000);
    machine.handle('ack');
    expect(seen()).toEqual(['send@0', 'ended@20000']);
  });

  it('proceeding to accepted: INVITEs are absorbed, ACKs passed up, until timer L', () => {
    const { machine, clock, seen } = started();
    machine.handle('success');
    machine.handle('request');
    machine.handle('ack', 'ACK');
    clock.advance(64 * T1);
    expect(seen()).toEqual(['send@0', 'pass ACK', 'ended@32000']);
  });

  it('accepted lasts as long over TCP, for retransmissions by another way', () => {
    const { machine, clock } = started(true);
    machine.handle('success');
    clock.advance(64 * T1 - 1);
    expect(machine.state).toBe('accepted');
  });
});

describe('non-INVITE server transaction (RFC 3261 figure 8)', () => {
  const started = (reliable = false) => run(serverTable, 'trying', reliable);

  it('trying: a retransmission is absorbed without an answer', () => {
    const { machine, seen } = started();
    machine.handle('request');
    expect(seen()).toEqual([]);
  });

  it('trying to proceeding: a retransmission gets the provisional response', () => {
    const { machine, seen } = started();
    machine.handle('provisional');
    machine.handle('request');
    expect(machine.state).toBe('proceeding');
    expect(seen()).toEqual(['send@0', 'send@0']);
  });

  it.each(['success', 'failure'] as const)(
    'to completed by %s: repeated on request until timer J',
    (final) => {
      const { machine, clock, seen } = started();
      machine.handle(final);
      machine.handle('request');
      clock.advance(64 * T1);
      expect(seen()).toEqual(['send@0', 'send@0', 'ended@32000']);
    },
  );

  it('proceeding to completed', () => {
    const { machine } = started();
    machine.handle('provisional');
    machine.handle('success');
    expect(machine.state).toBe('completed');
  });

  it('over TCP completed ends at once', () => {
    const { machine, clock, seen } = started(true);
    machine.handle('success');
    expect(seen()).toEqual(['send@0', 'ended@0']);
    expect(clock.pending).toBe(0);
  });
});

describe('INVITE client transaction (RFC 3261 figure 5, RFC 6026)', () => {
  const started = (reliable = false) => run(inviteClientTable, 'calling', reliable, inviteClientStart);

  it('calling: sends at 0, T1, 3 T1, 7 T1 ... and gives up at 64 T1', () => {
    const { clock, seen } = started();
    clock.advance(64 * T1);
    expect(seen()).toEqual([
      ...[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map((at) => `send@${at}`),
      'timeout',
      'ended@32000',
    ]);
  });

  it('calling: over TCP sends once and gives up at 64 T1', () => {
    const { clock, seen } = started(true);
    clock.advance(64 * T1);
    expect(seen()).toEqual(['send@0', 'timeout', 'ended@32000']);
  });

  it('calling to proceeding: a provisional response ends the sending', () => {
    const { machine, clock, seen } = started();
    machine.handle('provisional', '180');
    clock.advance(100_000);
    machine.handle('provisional', '183');
    expect(machine.state).toBe('proceeding');
    expect(seen()).toEqual(['send@0', 'pass 180', 'pass 183']);
  });

  it('proceeding does not last for ever: timer C', () => {
    const { machine, clock, seen } = started();
    machine.handle('provisional', '180');
    seen();
    clock.advance(180_000);
    expect(seen()).toEqual(['timeout', 'ended@180000']);
  });

  it.each(['calling', 'proceeding'])('%s to accepted: every 2xx is passed up until timer M', (from) => {
    const { machine, clock, seen } = started();
    if (from === 'proceeding') machine.handle('provisional', '180');
    machine.handle('success', '200');
    machine.handle('success', '200');
    seen();
    machine.handle('success', '200');
    expect(seen()).toEqual(['pass 200']);
    clock.advance(64 * T1);
    expect(seen()).toEqual(['ended@32000']);
  });

  it.each(['calling', 'proceeding'])(
    '%s to completed: a failure is acknowledged each time, passed up once',
    (from) => {
      const { machine, clock, seen } = started();
      if (from === 'proceeding') machine.handle('provisional', '180');
      seen();
      machine.handle('failure', '486');
      machine.handle('failure', '486');
      clock.advance(64 * T1);
      expect(seen()).toEqual(['ack', 'pass 486', 'ack', 'ended@32000']);
      expect(clock.pending).toBe(0);
    },
  );

  it('completed ends at once over TCP', () => {
    const { machine, seen } = started(true);
    machine.handle('failure', '486');
    expect(seen()).toEqual(['send@0', 'ack', 'pass 486', 'ended@0']);
  });

  it.each(['calling', 'proceeding'])('%s: a transport error ends it', (from) => {
    const { machine, clock, seen } = started();
    if (from === 'proceeding') machine.handle('provisional', '180');
    seen();
    machine.handle('transport-error');
    expect(seen()).toEqual(['pass error', 'ended@0']);
    expect(clock.pending).toBe(0);
  });
});

describe('non-INVITE client transaction (RFC 3261 figure 6)', () => {
  const started = (reliable = false) => run(clientTable, 'trying', reliable, clientStart);

  it('trying: sends at T1, doubling to T2, and gives up at timer F', () => {
    const { clock, seen } = started();
    clock.advance(64 * T1);
    expect(seen()).toEqual([
      ...[0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map(
        (at) => `send@${at}`,
      ),
      'timeout',
      'ended@32000',
    ]);
  });

  it('proceeding: goes on sending every T2 and still gives up at timer F', () => {
    const { machine, clock, seen } = started();
    machine.handle('provisional', '100');
    expect(seen()).toEqual(['send@0', 'pass 100']);
    clock.advance(500 + 2 * T2);
    expect(seen()).toEqual(['send@500', 'send@4500', 'send@8500']);
    clock.advance(64 * T1);
    expect(seen().slice(-2)).toEqual(['timeout', 'ended@32000']);
  });

  it.each(['trying', 'proceeding'])('%s to completed: further finals are absorbed until timer K', (from) => {
    const { machine, clock, seen } = started();
    if (from === 'proceeding') machine.handle('provisional', '100');
    seen();
    machine.handle('success', '200');
    machine.handle('success', '200');
    clock.advance(T4);
    expect(seen()).toEqual(['pass 200', 'ended@5000']);
    expect(clock.pending).toBe(0);
  });

  it('over TCP sends once and completed ends at once', () => {
    const { machine, clock, seen } = started(true);
    clock.advance(10_000);
    machine.handle('failure', '481');
    expect(seen()).toEqual(['send@0', 'pass 481', 'ended@10000']);
  });

  it.each(['trying', 'proceeding'])('%s: a transport error ends it', (from) => {
    const { machine, seen } = started();
    if (from === 'proceeding') machine.handle('provisional', '100');
    seen();
    machine.handle('transport-error');
    expect(seen()).toEqual(['pass error', 'ended@0']);
  });
});
