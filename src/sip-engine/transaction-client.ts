import { type Action, again, go, type StateTable, start, stay, stop } from './state-machine.ts';
import { T2 } from './timers.ts';

/** Non-INVITE client transaction: RFC 3261 §17.1.2, figure 6. */
export type ClientState = 'trying' | 'proceeding' | 'completed' | 'terminated';
export type ClientEvent = 'provisional' | 'success' | 'failure' | 'transport-error';

export const clientStart: readonly Action[] = ['send', start('E'), start('F')];

const answered = [stop('E'), stop('F')];

export const clientTable: StateTable<ClientState, ClientEvent> = {
  trying: {
    E: stay('send', again('E')),
    F: go('terminated', 'timeout'),
    provisional: go('proceeding', 'pass'),
    success: go('completed', ...answered, 'pass', start('K')),
    failure: go('completed', ...answered, 'pass', start('K')),
    'transport-error': go('terminated', 'pass'),
  },
  // A provisional answer stops neither the retransmissions nor the deadline.
  proceeding: {
    E: stay('send', again('E', T2)),
    F: go('terminated', 'timeout'),
    provisional: stay('pass'),
    success: go('completed', ...answered, 'pass', start('K')),
    failure: go('completed', ...answered, 'pass', start('K')),
    'transport-error': go('terminated', 'pass'),
  },
  completed: {
    K: go('terminated'),
  },
  terminated: {},
};
