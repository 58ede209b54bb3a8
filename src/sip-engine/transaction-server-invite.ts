import { again, go, type StateTable, start, stay, stop } from './state-machine.ts';

/** INVITE server transaction: RFC 3261 §17.2.1, figure 7, with the `accepted` state of RFC 6026 §7.1. */
export type InviteServerState = 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated';
export type InviteServerEvent = 'request' | 'ack' | 'provisional' | 'success' | 'failure' | 'transport-error';

/** What did not leave may leave when it is sent again: RFC 6026 has the state stay. */
const unsent = stay('unsent');

export const inviteServerTable: StateTable<InviteServerState, InviteServerEvent> = {
  proceeding: {
    request: stay('send'),
    provisional: stay('send'),
    'transport-error': unsent,
    success: go('accepted', 'send', start('L')),
    failure: go('completed', 'send', start('G'), start('H')),
  },
  completed: {
    request: stay('send'),
    G: stay('send', again('G')),
    H: go('terminated', 'timeout'),
    'transport-error': unsent,
    ack: go('confirmed', stop('G'), stop('H'), start('I')),
  },
  confirmed: {
    I: go('terminated'),
  },
  // The transaction user retransmits a 2xx by itself until the ACK comes; the INVITE is only absorbed here.
  accepted: {
    ack: stay('pass'),
    success: stay('send'),
    'transport-error': unsent,
    L: go('terminated'),
  },
  terminated: {},
};
