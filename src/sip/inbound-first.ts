import { E164 } from '../config/values.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import { fromDefaults } from '../sessions/new-session.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Log } from '../telemetry/log.ts';

export interface InboundFirstCall {
  trunk: { organizationId: string; sessionDefaults: SessionDefaults };
  /** User part of the Request-URI: a number or an extension. */
  called: string;
}

/** A session on its way: it has its id, by which the call holds its place, and is known to nobody else. */
export interface NewSession {
  session: Session;
  save: () => Promise<void>;
  /** The call came to nothing: the session, if it was saved, ends. */
  abandon: () => void;
}

/** Prepares the session that a call to a number or an extension makes, from its trunk's defaults (decisions §3). */
export function prepareSession(
  { trunk, called }: InboundFirstCall,
  { sessions, log, now }: { sessions: Sessions; log: Log; now: () => number },
): NewSession {
  const { organizationId, sessionDefaults } = trunk;
  const phoneNumber: { phone_number?: string } = E164.test(called) ? { phone_number: called } : {};
  const { session, save } = sessions.prepare(
    fromDefaults(organizationId, sessionDefaults, { type: 'sip', direction: 'inbound', ...phoneNumber }),
    { provider: 'sip', phoneNumber: phoneNumber.phone_number },
  );
  let saved = false;
  return {
    session,
    save: async () => {
      await save();
      saved = true;
    },
    abandon: () => {
      if (!saved) return;
      sessions
        .apply(session.id, { type: 'ended', at: now(), reason: 'unused' })
        .catch((error: unknown) =>
          log.error({ session: session.id, err: error }, 'a session could not be ended'),
        );
    },
  };
}
