import type { Bridges } from '../bridge/bridges.ts';
import type { SelfTests } from '../self-test/self-tests.ts';
import type { RefusalBook } from '../telemetry/refusal-book.ts';
import type { Admission } from './admission.ts';
import type { RegistrationBook } from './register.ts';
import type { SessionTimerSettings } from './session-timer.ts';
import type { SrfConnection } from './srf-port.ts';

/** What the handlers of SIP requests work with. */
export interface SipContext extends RefusalBook {
  admission: Admission;
  bridges: Bridges;
  selfTests: Pick<SelfTests, 'reserve'>;
  registrations: RegistrationBook;
  sessionTimers: SessionTimerSettings;
  /** The connection that a request came by, or one to place a call with. @throws EngineLost when there is none to place it */
  srf: () => SrfConnection;
}
