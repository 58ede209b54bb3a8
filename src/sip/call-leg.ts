import type { Leg } from '../bridge/leg.ts';
import type { CallFacts } from '../bridge/leg-carrier.ts';

/** What carries a call on our side: a leg of a session, or a self-test. */
export interface CallLeg
  extends Pick<
    Leg,
    | 'state'
    | 'wasUp'
    | 'signal'
    | 'start'
    | 'configure'
    | 'answered'
    | 'acknowledged'
    | 'keyPressed'
    | 'end'
    | 'release'
  > {
  readonly id: string;
  /** How lines of the log name it. */
  readonly logged: object;
  readonly facts: Pick<CallFacts, 'sourceAddress' | 'transport'>;
}
