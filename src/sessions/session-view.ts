import { durationSeconds, type Session } from './session.ts';

/** A time of the store as the API writes it. @param at wall clock, ms */
export const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

/**
 * A session as the API shows it, without its stream (contract §5.3, §5.4, decisions §7); `data` of its events too.
 * @param sipDomain host part of `sip:<session_id>@…`
 */
export function sessionView(session: Session, sipDomain: string) {
  const { id, status, mode, provider, routing } = session;
  return {
    id,
    object: 'session' as const,
    status,
    mode,
    provider,
    phone_number: session.phoneNumber,
    ...(provider === 'sip' && { sip: { uri: `sip:${id}@${sipDomain}` } }),
    source_language: session.sourceLanguage,
    target_language: session.targetLanguage,
    ...(session.translation !== null && { translation: session.translation }),
    ...(session.mixOriginalDb !== null && { mix_original_db: session.mixOriginalDb }),
    routing,
    recording: { enabled: false },
    ai_agent: session.aiAgent,
    metadata: session.metadata,
    created_at: new Date(session.createdAt).toISOString(),
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
