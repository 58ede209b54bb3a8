import { describe, expect, it } from 'vitest';
import { T1 } from '../../src/sip-engine/timers.ts';
import {
  type InviteClientEvent,
  inviteClientStart,
  inviteClientTable,
} from '../../src/sip-engine/transaction-client-invite.ts';
import { MachineRun, transports } from './machine-run.ts';

/** One test per arrow of RFC 3261 figure 5, as RFC 6026 redraws it with Accepted and timer M. */
describe.each(transports)('INVITE client transaction over %s', (transport) => {
  const reliable = transport === 'TCP';
  const udpOnly = reliable ? () => {} : it;
  const calling = () => new MachineRun(inviteClientTable, 'calling', transport, inviteClientStart);
  const having = (...events: InviteClientEvent[]) => calling().through(...events);

  it('→ Calling: the INVITE is sent', () => {
    const run = calling();
    expect([...run.did(), run.state]).toEqual(['send at 0', 'calling']);
  });

  it('Calling, timer A → Calling: the INVITE is sent again, at T1 and then twice as far apart each time', () => {
    const run = having();
    const again = [500, 1_500, 3_500, 7_500, 15_500, 31_500].map((at) => `send at ${at}`);
    expect(run.after(64 * T1 - 1)).toEqual([...(reliable ? [] : again), 'calling']);
  });

  it('Calling, timer B → Terminated: the user is told', () => {
    expect(
      having()
        .after(64 * T1)
        .slice(-3),
    ).toEqual(['timeout', 'ended', 'terminated']);
  });

  it('Calling, transport error → Terminated: the user is told', () => {
    const run = having();
    expect(run.on('transport-error')).toEqual(['pass the error', 'ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it.each([
    ['100', 'trying'],
    ['101 to 199', 'provisional'],
  ] as const)('Calling, %s → Proceeding: passed up, and nothing is sent again', (_, event) => {
    const run = having();
    expect(run.on(event, '1xx')).toEqual(['pass 1xx', 'proceeding']);
    expect(run.after(100_000)).toEqual(['proceeding']);
  });

  it('Calling, 2xx → Accepted: passed up', () => {
    const run = having();
    expect(run.on('success', '200')).toEqual(['pass 200', 'accepted']);
    expect(run.after(64 * T1 - 1)).toEqual(['accepted']);
  });

  it('Calling, 300 to 699 → Completed: ACK, passed up', () => {
    expect(having().on('failure', '486')).toEqual(['ack', 'pass 486', ...completed]);
  });

  it('Proceeding, 1xx → Proceeding: passed up', () => {
    expect(having('provisional').on('provisional', '183')).toEqual(['pass 183', 'proceeding']);
    expect(having('provisional').on('trying', '100')).toEqual(['pass 100', 'proceeding']);
  });

  it('Proceeding, 2xx → Accepted: passed up', () => {
    expect(having('provisional').on('success', '200')).toEqual(['pass 200', 'accepted']);
  });

  it('Proceeding, 300 to 699 → Completed: ACK, passed up', () => {
    expect(having('provisional').on('failure', '302')).toEqual(['ack', 'pass 302', ...completed]);
  });

  it('Proceeding, transport error → Terminated: the user is told (a connection that broke)', () => {
    expect(having('provisional').on('transport-error')).toEqual(['pass the error', 'ended', 'terminated']);
  });

  it('Proceeding, timer C → Terminated: the user, who has had time for a CANCEL, is told (RFC 3261 §16.8)', () => {
    const run = having('provisional');
    expect(run.after(219_999)).toEqual(['proceeding']);
    expect(run.after(1)).toEqual(['timeout', 'ended', 'terminated']);
  });

  it('Proceeding, timer C begins again with 101 to 199, not with 100 (RFC 3261 §16.7, step 2)', () => {
    const run = having('provisional');
    run.clock.advance(100_000);
    run.through('provisional');
    run.clock.advance(100_000);
    run.through('trying');
    expect(run.after(119_999)).toEqual(['proceeding']);
    expect(run.after(1)).toEqual(['timeout', 'ended', 'terminated']);
  });

  it('Accepted, 2xx → Accepted: every one is passed up', () => {
    const run = having('provisional', 'success');
    expect(run.on('success', '200')).toEqual(['pass 200', 'accepted']);
    expect(run.on('success', '200 of another fork')).toEqual(['pass 200 of another fork', 'accepted']);
  });

  it('Accepted, timer M → Terminated, however many 2xx came', () => {
    const run = having('success');
    run.clock.advance(20_000);
    run.through('success');
    expect(run.after(64 * T1 - 20_000)).toEqual(['ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('Accepted: provisional and failed answers are late, and ignored', () => {
    const run = having('success');
    expect(run.on('provisional', '180')).toEqual(['accepted']);
    expect(run.on('failure', '486')).toEqual(['accepted']);
  });

  // Over TCP timer D is 0: Completed is over as soon as it is reached.
  const completed = reliable ? ['ended', 'terminated'] : ['completed'];

  udpOnly('Completed, 300 to 699 → Completed: ACK, and nothing is passed up', () => {
    expect(having('failure').on('failure', '486')).toEqual(['ack', 'completed']);
  });

  udpOnly('Completed, transport error → Terminated: the user has its answer', () => {
    expect(having('failure').on('transport-error')).toEqual(['ended', 'terminated']);
  });

  it('Completed, timer D → Terminated', () => {
    const run = having('failure');
    expect(run.after(64 * T1 - 1)).toEqual([reliable ? 'terminated' : 'completed']);
    expect(run.after(1)).toEqual([...(reliable ? [] : ['ended']), 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  udpOnly('Completed: late 1xx and 2xx are ignored', () => {
    expect(having('failure').on('provisional', '180')).toEqual(['completed']);
    expect(having('failure').on('success', '200')).toEqual(['completed']);
  });
});
