import { signToken, TOKEN_LIFETIME_SECONDS } from '../session-token.ts';
import type { Session } from '../sessions/session.ts';
import { sessionView } from '../sessions/session-view.ts';

/** What the view of a session needs to know of the gateway. */
export interface ViewSettings {
  /** Host part of `sip:<session_id>@…`. */
  sipDomain: string;
  /** Where clients open WebSockets, without a slash at its end: `wss://api.kallglot.com/v1`. */
  streamBase: string;
  streamSecret: string;
  now: () => number;
}

/** A session with its stream, which only the API's own answers carry: its token is good for 5 minutes. */
export function streamedSessionView(session: Session, environment: 'live' | 'test', settings: ViewSettings) {
  const view = sessionView(session, settings.sipDomain);
  return session.status === 'ended'
    ? view
    : { ...view, stream: streamView(session.id, environment, settings) };
}

/** Where a session's WebSocket is opened, and a fresh token for it. */
export function streamView(id: string, environment: 'live' | 'test', settings: ViewSettings) {
  const at = settings.now();
  return {
    url: `${settings.streamBase}/sessions/${id}/connect`,
    token: `kst_${environment}_${signToken(settings.streamSecret, id, at)}`,
    expires_at: new Date(at + TOKEN_LIFETIME_SECONDS * 1000).toISOString(),
  };
}
