import { type Action, again, go, type StateTable, start, stay, stop } from './state-machine.ts';

/** INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the `accepted` state of RFC 6026 §7.2. */
export type InviteClientState = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';
export type InviteClientEvent = 'provisional' | 'success' | 'failure' | 'transport-error';

export const inviteClientStart: readonly Action[] = ['send', start('A'), start('B')];

const answered = [stop('A'), stop('B'), stop('C')];

export const inviteClientTable: StateTable<InviteClientState, InviteClientEvent> = {
  calling: {
    A: stay('send', again('A')),
    B: go('terminated', 'timeout'),
    provisional: go('proceeding', stop('A'), stop('B'), start('C'), 'pass'),
    success: go('accepted', ...answered, start('M'), 'pass'),
    failure: go('completed', ...answered, 'ack', 'pass', start('D')),
    'transport-error': go('terminated', 'pass'),
  },
  proceeding: {
    provisional: stay('pass'),
    success: go('accepted', ...answered, start('M'), 'pass'),
    failure: go('completed', ...answered, 'ack', 'pass', start('D')),
    C: go('terminated', 'timeout'),
    'transport-error': go('terminated', 'pass'),
  },
  // Every further 2xx goes up, so that the ACK can be sent again.
  accepted: {
    success: stay('pass'),
    M: go('terminated'),
  },
  completed: {
    failure: stay('ack'),
    D: go('terminated'),
  },
  terminated: {},
};
