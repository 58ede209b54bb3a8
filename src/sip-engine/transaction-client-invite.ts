import { type Action, again, go, type StateTable, start, stay, stop } from './state-machine.ts';

/** INVITE client transaction: RFC 3261 §17.1.1, figure 5, with the `accepted` state of RFC 6026 §7.2. */
export type InviteClientState = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';
/** `trying` is the 100, which says nothing of how far the call is; `provisional` are 101 to 199. */
export type InviteClientEvent = 'trying' | 'provisional' | 'success' | 'failure' | 'transport-error';

export const inviteClientStart: readonly Action[] = ['send', start('A'), start('B')];

const waiting = [stop('A'), stop('B'), start('C'), 'pass'] as const;
const answered = [stop('A'), stop('B'), stop('C')];

export const inviteClientTable: StateTable<InviteClientState, InviteClientEvent> = {
  calling: {
    A: stay('send', again('A')),
    B: go('terminated', 'timeout'),
    trying: go('proceeding', ...waiting),
    provisional: go('proceeding', ...waiting),
    success: go('accepted', ...answered, start('M'), 'pass'),
    failure: go('completed', ...answered, 'ack', 'pass', start('D')),
    'transport-error': go('terminated', 'pass'),
  },
  proceeding: {
    trying: stay('pass'),
    // Whoever rings on may ring on (§16.7, step 2).
    provisional: stay(start('C'), 'pass'),
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
    // The user has the answer; that its ACK did not leave (figure 5: inform TU) is counted by the transport.
    'transport-error': go('terminated'),
    D: go('terminated'),
  },
  terminated: {},
};
