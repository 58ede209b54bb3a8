import { signToken, TOKEN_LIFETIME_SECONDS } from '../session-token.ts';
import { durationSeconds, type Session } from '../sessions/session.ts';

/** What the view of a session needs to know of the gateway. */
export interface ViewSettings {
  /** Host part of `sip:<session_id>@…`. */
  sipDomain: string;
  /** Where clients open WebSockets, without a slash at its end: `wss://api.kallglot.com/v1`. */
  streamBase: string;
  streamSecret: string;
  now: () => number;
}

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

/** A session as `POST /v1/sessions` and `GET /v1/sessions/{id}` show it (contract §5.3, §5.4, decisions §7). */
export function sessionView(session: Session, environment: 'live' | 'test', settings: ViewSettings) {
  const { id, status, mode, provider, routing } = session;
  return {
    id,
    object: 'session' as const,
    status,
    mode,
    provider,
    phone_number: routing?.phone_number ?? null,
    ...(provider === 'sip' && { sip: { uri: `sip:${id}@${settings.sipDomain}` } }),
    source_language: session.sourceLanguage,
    target_language: session.targetLanguage,
    routing,
    ...(status !== 'ended' && { stream: streamView(id, environment, settings) }),
    recording: { enabled: false },
    ai_agent: session.aiAgent,
    metadata: session.metadata,
    created_at: iso(session.createdAt),
    started_at: iso(session.startedAt),
    ended_at: iso(session.endedAt),
  };
}

/** The answer to `POST /v1/sessions/{id}/end` (contract §5.5). */
export function summaryView(session: Session) {
  return {
    id: session.id,
    object: 'session' as const,
    status: session.status,
    duration_seconds: durationSeconds(session),
    ended_at: iso(session.endedAt),
  };
}

function streamView(
  id: string,
  environment: 'live' | 'test',
  { streamBase, streamSecret, now }: ViewSettings,
) {
  const at = now();
  return {
    url: `${streamBase}/sessions/${id}/connect`,
    token: `kst_${environment}_${signToken(streamSecret, id, at)}`,
    expires_at: new Date(at + TOKEN_LIFETIME_SECONDS * 1000).toISOString(),
  };
}
