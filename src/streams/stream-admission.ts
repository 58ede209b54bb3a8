import { ApiError, Refusal } from '../errors.ts';
import type { SessionId } from '../ids.ts';
import { verifyToken } from '../session-token.ts';
import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';

/** A client whose token was good. */
export interface AdmittedStream {
  session: Session;
  /** Of its organization. */
  concurrencyLimit: number;
}

export interface StreamAdmissionOptions {
  tokenSecret: string;
  now: () => number;
  sessions: Pick<Sessions, 'find'>;
  organizationOf: (id: string) => { active: boolean; concurrencyLimit: number } | undefined;
  /** @throws StoreUnavailable while nothing can be looked up */
  assertStore: () => void;
  /** Why no new client is taken now. */
  unavailable: (id: SessionId) => 'draining' | 'overloaded' | undefined;
}

/**
 * Who may connect to a session, and why not. A token opens its own session for 5 minutes, as often as it is shown: a client
 * that lost its connection comes back with it. Until it is known to be good nothing is looked up.
 * @throws StoreUnavailable; Refusal `draining`, `overloaded`; ApiError `invalid_token`, `session_not_found`, `organization_inactive`, `session_ended`
 */
export async function admitStream(
  { tokenSecret, now, sessions, organizationOf, assertStore, unavailable }: StreamAdmissionOptions,
  sessionId: SessionId,
  token: string,
): Promise<AdmittedStream> {
  const reason = unavailable(sessionId);
  if (reason !== undefined) throw new Refusal(reason);
  const signed = /^kst_(?:live|test)_(.+)$/s.exec(token)?.[1];
  if (signed === undefined || verifyToken(tokenSecret, signed, now()) !== sessionId)
    throw new ApiError('invalid_token');
  assertStore();
  const session = await sessions.find(sessionId);
  if (session === undefined) throw new ApiError('session_not_found');
  const organization = organizationOf(session.organizationId);
  if (!organization?.active) throw new ApiError('organization_inactive');
  if (session.status === 'ended') throw new ApiError('session_ended');
  return { session, concurrencyLimit: organization.concurrencyLimit };
}
