import type { SessionId } from '../ids.ts';
import type { Provider } from '../providers.ts';
import type { SessionMode } from '../roles.ts';
import type { SessionRow, SessionStatus } from '../store/schema.ts';
import type { TranslationState } from './translation.ts';

/** A session as the rest of the gateway sees it. Times are wall clock in ms. */
export interface Session {
  readonly id: SessionId;
  readonly organizationId: string;
  readonly status: SessionStatus;
  readonly mode: SessionMode;
  readonly provider: Provider;
  readonly sourceLanguage: string | null;
  readonly targetLanguage: string | null;
  readonly routing: Readonly<Record<string, unknown>> | null;
  /** What the route came to: the organization's number, or its connection. */
  readonly phoneNumber: string | null;
  readonly connectionId: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly aiAgent: Readonly<Record<string, unknown>> | null;
  readonly translation: TranslationState;
  /** How loud the other's own voice is under a translation, dB; null = as the gateway is set. */
  readonly mixOriginalDb: number | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly endReason: string | null;
}

/** What happens to a session. */
export type SessionEvent =
  /** The first RTP packet of its first leg, at that moment. */
  | { type: 'started'; at: number }
  /** It is over; `at` is when its last leg left, or now. */
  | { type: 'ended'; at: number; reason: string };

type Change = Pick<SessionRow, 'status'> &
  Partial<Pick<SessionRow, 'started_at' | 'ended_at' | 'end_reason' | 'translation'>>;

/**
 * The life of a session in one place: `created` → `active` → `ended`, or straight to `ended` (decisions §4).
 * @returns what changes, or undefined when the event changes nothing (a second start, an end of what has ended)
 */
export function transition(status: SessionStatus, event: SessionEvent): Change | undefined {
  if (status === 'ended') return undefined;
  if (event.type === 'ended')
    return { status: 'ended', ended_at: event.at, end_reason: event.reason, translation: null };
  return status === 'created' ? { status: 'active', started_at: event.at } : undefined;
}

/** Seconds from the first audio to the end, to the millisecond; 0 for a session that was never called. */
export function durationSeconds({ startedAt, endedAt }: Session): number {
  if (startedAt === null || endedAt === null) return 0;
  return Math.max(0, endedAt - startedAt) / 1000;
}

const json = (text: string | null) => (text === null ? null : (JSON.parse(text) as Record<string, unknown>));

export function readSession(row: SessionRow): Session {
  return {
    id: row.id,
    organizationId: row.organization_id,
    status: row.status,
    mode: row.mode,
    provider: row.provider,
    sourceLanguage: row.source_language,
    targetLanguage: row.target_language,
    routing: json(row.routing),
    phoneNumber: row.phone_number,
    connectionId: row.connection_id,
    metadata: json(row.metadata),
    aiAgent: json(row.ai_agent),
    translation: row.translation,
    mixOriginalDb: row.mix_original_db,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  };
}
