import type { ColumnType, Generated } from 'kysely';
import type { SessionId } from '../ids.ts';
import type { SessionMode } from '../roles.ts';
import type { CallRecord } from '../telemetry/call-record.ts';

/** The tables as kysely sees them. Times are wall clock in ms; flags are 0 or 1; lists and objects are JSON text. */
export interface Schema {
  organizations: OrganizationRow;
  api_keys: ApiKeyRow;
  sessions: SessionRow;
  call_records: CallRecord;
  registrations: RegistrationRow;
  secrets: { name: string; value: string };
  migrations: { version: number; applied_at: number };
}

export interface OrganizationRow {
  id: string;
  name: string;
  active: number;
  /** `config` for those that the configuration file owns, else `api`. */
  managed_by: 'config' | 'api';
  sip_enabled: number;
  sip_username: string | null;
  /** One HA1 per algorithm, and the realm that they were made for: JSON of `Credentials`. */
  sip_credentials: string | null;
  /** JSON list of addresses and networks. */
  sip_allowed_ips: string;
  sip_require_digest: number;
  sip_concurrency_limit: number;
}

interface ApiKeyRow {
  id: string;
  organization_id: string;
  /** SHA-256 of the key, hex; the key itself is never stored. */
  hash: string;
  environment: 'live' | 'test';
  managed_by: 'config' | 'api';
}

export type SessionStatus = 'created' | 'active' | 'ended';
export type Provider = 'twilio' | 'telnyx' | 'sip' | 'webrtc';

export interface SessionRow {
  id: SessionId;
  organization_id: string;
  status: SessionStatus;
  mode: SessionMode;
  provider: Provider;
  source_language: string | null;
  target_language: string | null;
  /** The request's `routing`, `metadata` and `ai_agent` as JSON, null when absent. */
  routing: string | null;
  metadata: string | null;
  ai_agent: string | null;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
  end_reason: string | null;
  /** When it was last seen with a bridge; what a crash leaves behind has ended then. */
  last_alive_at: number | null;
}

interface RegistrationRow {
  id: Generated<number>;
  organization_id: string;
  aor: string;
  contact: string;
  source_address: string;
  expires_at: number;
  updated_at: ColumnType<number>;
}
