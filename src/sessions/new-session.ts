import { newSessionId } from '../ids.ts';
import type { SessionMode } from '../roles.ts';
import type { SessionDefaults } from '../session-defaults.ts';
import type { SessionRow } from '../store/schema.ts';
import type { Route } from './routing.ts';

export interface NewSession {
  organizationId: string;
  mode: SessionMode;
  sourceLanguage: string | null;
  targetLanguage: string | null;
  /** How loud the other's own voice is under a translation, dB; else as the gateway is set. */
  mixOriginalDb?: number | null;
  routing: Readonly<Record<string, unknown>> | null;
  metadata: Readonly<Record<string, unknown>> | null;
  aiAgent: Readonly<Record<string, unknown>> | null;
}

/** The session that a call makes, not a request: all that it is comes from defaults. */
export const fromDefaults = (
  organizationId: string,
  defaults: SessionDefaults,
  routing: NewSession['routing'],
): NewSession => ({
  organizationId,
  mode: defaults.mode ?? 'bidirectional_translation',
  sourceLanguage: defaults.source_language ?? null,
  targetLanguage: defaults.target_language ?? null,
  mixOriginalDb: defaults.mix_original_db ?? null,
  routing,
  metadata: defaults.metadata ?? null,
  aiAgent: null,
});

/** @param at wall clock, ms */
export function newSessionRow(
  wanted: NewSession,
  route: Route,
  at: number,
  carrierCallId: string | null = null,
): SessionRow {
  const json = (value: object | null) => (value === null ? null : JSON.stringify(value));
  return {
    id: newSessionId(),
    organization_id: wanted.organizationId,
    status: 'created',
    mode: wanted.mode,
    provider: route.provider,
    source_language: wanted.sourceLanguage,
    target_language: wanted.targetLanguage,
    routing: json(wanted.routing),
    phone_number: route.phoneNumber ?? null,
    connection_id: route.connectionId ?? null,
    metadata: json(wanted.metadata),
    ai_agent: json(wanted.aiAgent),
    created_at: at,
    started_at: null,
    ended_at: null,
    end_reason: null,
    translation: null,
    mix_original_db: wanted.mixOriginalDb ?? null,
    last_alive_at: null,
    carrier_call_id: carrierCallId,
  };
}
