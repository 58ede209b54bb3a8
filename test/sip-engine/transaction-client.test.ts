import { describe, expect, it } from 'vitest';
import { T1, T2, T4 } from '../../src/sip-engine/timers.ts';
import { type ClientEvent, clientStart, clientTable } from '../../src/sip-engine/transaction-client.ts';
import { MachineRun, transports } from './machine-run.ts';

/** One test per arrow of RFC 3261 figure 6. */
describe.each(transports)('non-INVITE client transaction over %s', (transport) => {
  const reliable = transport === 'TCP';
  const trying = () => new MachineRun(clientTable, 'trying', transport, clientStart);
  const having = (...events: ClientEvent[]) => trying().through(...events);

  it('→ Trying: the request is sent', () => {
    const run = trying();
    expect([...run.did(), run.state]).toEqual(['send at 0', 'trying']);
  });

  it('Trying, timer E → Trying: the request is sent again, at T1, doubling to T2', () => {
    const again = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    const sent = reliable ? [] : again.map((at) => `send at ${at}`);
    expect(having().after(64 * T1 - 1)).toEqual([...sent, 'trying']);
  });

  it('Trying, timer F → Terminated: the user is told', () => {
    const run = having();
    expect(run.after(64 * T1).slice(-3)).toEqual(['timeout', 'ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('Trying, transport error → Terminated: the user is told', () => {
    const run = having();
    expect(run.on('transport-error')).toEqual(['pass the error', 'ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('Trying, 1xx → Proceeding: passed up', () => {
    expect(having().on('provisional', '100')).toEqual(['pass 100', 'proceeding']);
  });

  // Over TCP timer K is 0: Completed is over as soon as it is reached.
  const completed = reliable ? ['ended', 'terminated'] : ['completed'];

  it.each(['success', 'failure'] as const)('Trying, 200 to 699 (%s) → Completed: passed up', (final) => {
    expect(having().on(final, 'final')).toEqual(['pass final', ...completed]);
  });

  it('Proceeding, timer E → Proceeding: the request is sent again every T2', () => {
    const run = having('provisional');
    const sent = reliable ? [] : ['send at 500', 'send at 4500', 'send at 8500'];
    expect(run.after(T1 + 2 * T2)).toEqual([...sent, 'proceeding']);
  });

  it('Proceeding, 1xx → Proceeding: passed up', () => {
    expect(having('provisional').on('provisional', '183')).toEqual(['pass 183', 'proceeding']);
  });

  it('Proceeding, timer F → Terminated: the user is told, 64 T1 after the request', () => {
    const run = having();
    run.clock.advance(10_000);
    run.through('provisional');
    expect(run.after(64 * T1 - 10_000).slice(-3)).toEqual(['timeout', 'ended', 'terminated']);
  });

  it('Proceeding, transport error → Terminated: the user is told', () => {
    expect(having('provisional').on('transport-error')).toEqual(['pass the error', 'ended', 'terminated']);
  });

  it.each(['success', 'failure'] as const)('Proceeding, 200 to 699 (%s) → Completed: passed up', (final) => {
    expect(having('provisional').on(final, 'final')).toEqual(['pass final', ...completed]);
  });

  it('Completed, timer K → Terminated; until then further answers are absorbed', () => {
    const run = having('success');
    expect(run.on('success', '200')).toEqual([reliable ? 'terminated' : 'completed']);
    expect(run.after(T4)).toEqual([...(reliable ? [] : ['ended']), 'terminated']);
    expect(run.clock.pending).toBe(0);
  });
});
