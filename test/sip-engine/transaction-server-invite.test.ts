import { describe, expect, it } from 'vitest';
import { T1, T4 } from '../../src/sip-engine/timers.ts';
import { type InviteServerEvent, inviteServerTable } from '../../src/sip-engine/transaction-server-invite.ts';
import { MachineRun, transports } from './machine-run.ts';

/**
 * One test per arrow of RFC 3261 figure 7, as RFC 6026 redraws it with Accepted and timer L. (INVITE → Proceeding is in
 * the tests of the UAS: there the INVITE is passed to the user, and the 100 sent.)
 */
describe.each(transports)('INVITE server transaction over %s', (transport) => {
  const reliable = transport === 'TCP';
  const udpOnly = reliable ? () => {} : it;
  const having = (...events: InviteServerEvent[]) =>
    new MachineRun(inviteServerTable, 'proceeding', transport).through(...events);

  it('Proceeding, INVITE → Proceeding: the last answer is sent again', () => {
    expect(having('provisional').on('request')).toEqual(['send at 0', 'proceeding']);
  });

  it('Proceeding, 101 to 199 of the user → Proceeding: sent', () => {
    expect(having().on('provisional')).toEqual(['send at 0', 'proceeding']);
  });

  it('Proceeding, transport error → Proceeding: told', () => {
    expect(having('provisional').on('transport-error')).toEqual(['unsent', 'proceeding']);
  });

  it('Proceeding, 2xx of the user → Accepted: sent, once', () => {
    const run = having();
    expect(run.on('success')).toEqual(['send at 0', 'accepted']);
    expect(run.after(64 * T1 - 1)).toEqual(['accepted']);
  });

  it('Proceeding, 300 to 699 of the user → Completed: sent', () => {
    expect(having().on('failure')).toEqual(['send at 0', 'completed']);
  });

  it('Proceeding, ACK: there is nothing to acknowledge', () => {
    expect(having('provisional').on('ack', 'ACK')).toEqual(['proceeding']);
  });

  it('Completed, INVITE → Completed: the answer is sent again', () => {
    expect(having('failure').on('request')).toEqual(['send at 0', 'completed']);
  });

  it('Completed, timer G → Completed: the answer is sent again, at T1, doubling to T2', () => {
    const again = [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    const sent = reliable ? [] : again.map((at) => `send at ${at}`);
    expect(having('failure').after(64 * T1 - 1)).toEqual([...sent, 'completed']);
  });

  it('Completed, timer H → Terminated: the user is told', () => {
    const run = having('failure');
    expect(run.after(64 * T1).slice(-3)).toEqual(['timeout', 'ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('Completed, transport error → Completed: told', () => {
    expect(having('failure').on('transport-error')).toEqual(['unsent', 'completed']);
  });

  // Over TCP timer I is 0: Confirmed is over as soon as it is reached.
  it('Completed, ACK → Confirmed: nothing is sent any more', () => {
    const run = having('failure');
    expect(run.on('ack', 'ACK')).toEqual(reliable ? ['ended', 'terminated'] : ['confirmed']);
    expect(run.after(T4 - 1)).toEqual([reliable ? 'terminated' : 'confirmed']);
  });

  udpOnly('Confirmed, ACK or INVITE → Confirmed: absorbed', () => {
    expect(having('failure', 'ack').on('ack', 'ACK')).toEqual(['confirmed']);
    expect(having('failure', 'ack').on('request')).toEqual(['confirmed']);
  });

  it('Confirmed, timer I → Terminated', () => {
    const run = having('failure', 'ack');
    expect(run.after(T4)).toEqual([...(reliable ? [] : ['ended']), 'terminated']);
    expect(run.clock.pending).toBe(0);
  });

  it('Accepted, INVITE → Accepted: absorbed, nothing is sent', () => {
    expect(having('success').on('request')).toEqual(['accepted']);
  });

  it('Accepted, ACK → Accepted: every one is passed to the user', () => {
    const run = having('success');
    expect(run.on('ack', 'ACK')).toEqual(['pass ACK', 'accepted']);
    expect(run.on('ack', 'ACK again')).toEqual(['pass ACK again', 'accepted']);
  });

  it('Accepted, 2xx of the user → Accepted: sent', () => {
    expect(having('success').on('success')).toEqual(['send at 0', 'accepted']);
  });

  it('Accepted, transport error → Accepted: told', () => {
    expect(having('success').on('transport-error')).toEqual(['unsent', 'accepted']);
  });

  it('Accepted, timer L → Terminated, over TCP as late as over UDP', () => {
    const run = having('success');
    expect(run.after(64 * T1 - 1)).toEqual(['accepted']);
    expect(run.after(1)).toEqual(['ended', 'terminated']);
    expect(run.clock.pending).toBe(0);
  });
});
