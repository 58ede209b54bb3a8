import { describe, expect, it } from 'vitest';
import { T1 } from '../../src/sip-engine/timers.ts';
import { type ServerEvent, serverTable } from '../../src/sip-engine/transaction-server.ts';
import { MachineRun, transports } from './machine-run.ts';

/** One test per arrow of RFC 3261 figure 8. (Request → Trying is in the tests of the UAS.) */
describe.each(transports)('non-INVITE server transaction over %s', (transport) => {
  const reliable = transport === 'TCP';
  const udpOnly = reliable ? () => {} : it;
  const having = (...events: ServerEvent[]) =>
    new MachineRun(serverTable, 'trying', transport).through(...events);
  // Over TCP timer J is 0: Completed is over as soon as it is reached.
  const completed = reliable ? ['ended', 'terminated'] : ['completed'];

  it('Trying, request → Trying: absorbed, for there is nothing to send yet', () => {
    expect(having().on('request')).toEqual(['trying']);
  });

  it('Trying, 1xx of the user → Proceeding: sent', () => {
    expect(having().on('provisional')).toEqual(['send at 0', 'proceeding']);
  });

  it.each(['success', 'failure'] as const)(
    'Trying, 200 to 699 (%s) of the user → Completed: sent',
    (final) => {
      expect(having().on(final)).toEqual(['send at 0', ...completed]);
    },
  );

  it('Proceeding, request → Proceeding: the last answer is sent again', () => {
    expect(having('provisional').on('request')).toEqual(['send at 0', 'proceeding']);
  });

  it('Proceeding, 1xx of the user → Proceeding: sent', () => {
    expect(having('provisional').on('provisional')).toEqual(['send at 0', 'proceeding']);
  });

  it('Proceeding, transport error → Terminated: told', () => {
    expect(having('provisional').on('transport-error')).toEqual(['unsent', 'ended', 'terminated']);
  });

  it.each(['success', 'failure'] as const)(
    'Proceeding, 200 to 699 (%s) of the user → Completed: sent',
    (final) => {
      expect(having('provisional').on(final)).toEqual(['send at 0', ...completed]);
    },
  );

  udpOnly('Completed, request → Completed: the answer is sent again', () => {
    expect(having('success').on('request')).toEqual(['send at 0', 'completed']);
  });

  udpOnly('Completed, 200 to 699 of the user: there is one answer only', () => {
    expect(having('success').on('failure')).toEqual(['completed']);
  });

  udpOnly('Completed, transport error → Terminated: told', () => {
    const run = having('success');
    expect(run.on('transport-error')).toEqual(['unsent', 'ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('Completed, timer J → Terminated', () => {
    const run = having('success');
    expect(run.after(64 * T1 - 1)).toEqual([reliable ? 'terminated' : 'completed']);
    expect(run.after(1)).toEqual([...(reliable ? [] : ['ended']), 'terminated']);
    expect(run.clock.pending).toBe(0);
  });
});
