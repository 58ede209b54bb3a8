import { go, type StateTable, start, stay } from './state-machine.ts';

/** Non-INVITE server transaction: RFC 3261 §17.2.2, figure 8. */
export type ServerState = 'trying' | 'proceeding' | 'completed' | 'terminated';
export type ServerEvent = 'request' | 'provisional' | 'success' | 'failure' | 'transport-error';

export const serverTable: StateTable<ServerState, ServerEvent> = {
  trying: {
    provisional: go('proceeding', 'send'),
    success: go('completed', 'send', start('J')),
    failure: go('completed', 'send', start('J')),
  },
  proceeding: {
    request: stay('send'),
    provisional: stay('send'),
    success: go('completed', 'send', start('J')),
    failure: go('completed', 'send', start('J')),
    'transport-error': go('terminated', 'unsent'),
  },
  completed: {
    request: stay('send'),
    'transport-error': go('terminated', 'unsent'),
    J: go('terminated'),
  },
  terminated: {},
};
