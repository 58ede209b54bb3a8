import type { ColumnType, Generated } from 'kysely';
import type { SessionId } from '../ids.ts';
import type { Carrier, Provider } from '../providers.ts';
import type { SessionMode } from '../roles.ts';
import type { SrtpPolicy } from '../srtp.ts';
import type { CallRecord } from '../telemetry/call-record.ts';

/** The tables as kysely sees them. Times are wall clock in ms; flags are 0 or 1; lists and objects are JSON text. */
export interface Schema {
  organizations: OrganizationRow;
  api_keys: ApiKeyRow;
  sessions: SessionRow;
  call_records: CallRecord;
  registrations: RegistrationRow;
  numbers: NumberRow;
  connections: ConnectionRow;
  outbound_trunks: OutboundTrunkRow;
  webhook_endpoints: WebhookEndpointRow;
  events: EventRow;
  open_legs: OpenLegRow;
  transcripts: TranscriptRow;
  transcript_turns: TranscriptTurnRow;
  sip_tests: SipTestRow;
  deliveries: DeliveryRow;
  delivery_attempts: DeliveryAttemptRow;
  idempotency_keys: IdempotencyRow;
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
  /** JSON list of `AllowedAddress`. */
  sip_allowed_ips: string;
  sip_require_digest: number;
  sip_tls_required: number;
  /** JSON list of what identifies its TLS client certificates: SHA-256 fingerprints and names. */
  sip_tls_certificates: string;
  sip_concurrency_limit: number;
  /** null = the gateway's `media.timeout_seconds`. */
  sip_media_timeout_seconds: number | null;
  /** JSON list of the codecs that its calls may speak, the most wanted first; null = every one, as the peer likes it. */
  sip_codecs: string | null;
  sip_inbound_first: number;
  /** JSON of what a session gets that an inbound-first call makes: mode, languages, metadata; null = none. */
  sip_session_defaults: string | null;
  sip_srtp: SrtpPolicy;
}

interface ApiKeyRow {
  id: string;
  organization_id: string;
  /** SHA-256 of the key, hex; the key itself is never stored. */
  hash: string;
  environment: 'live' | 'test';
  managed_by: 'config' | 'api';
  /** JSON list of `Scope`. */
  scopes: Generated<string>;
}

export type SessionStatus = 'created' | 'active' | 'ended';

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
  /** What the route came to: the organization's number, or its connection. */
  phone_number: string | null;
  connection_id: string | null;
  metadata: string | null;
  ai_agent: string | null;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
  end_reason: string | null;
  /** Whether its speech is translated now; null while no call is up. */
  translation: 'active' | 'degraded' | null;
  /** How loud the other's own voice is under a translation, dB; null = the gateway's `session.mix_original_db`. */
  mix_original_db: number | null;
  /** When it was last seen with a bridge; what a crash leaves behind has ended then. */
  last_alive_at: number | null;
  /** The carrier's id of the call whose webhook made it; once per organization and provider. */
  carrier_call_id: string | null;
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

/** A number that an organization has bought from the operator's inventory. */
export interface NumberRow {
  id: string;
  organization_id: string;
  /** E.164, unique over all organizations. */
  phone_number: string;
  carrier: Carrier;
  active: number;
  created_at: number;
  /** JSON of what the sessions of its calls get, over the organization's; null = the organization's. */
  session_defaults: string | null;
}

/** An organization's own account at a carrier. */
export interface ConnectionRow {
  id: string;
  organization_id: string;
  provider: Carrier;
  name: string;
  /** Sealed JSON of the carrier's credentials; never shown. */
  credentials: string;
  /** What may be shown of them: the Twilio account SID. */
  account: string | null;
  status: 'verified' | 'unverified' | 'rejected';
  status_detail: string | null;
  is_default: number;
  active: number;
  created_at: number;
  /** JSON of what the sessions of its calls get, over the organization's; null = the organization's. */
  session_defaults: string | null;
  /** Of a Telnyx account: the Ed25519 key that its webhooks are signed with, base64; null where it was not told. */
  public_key: string | null;
}

/** Where an organization may call, and the trunk to which its calls to numbers go. */
export interface OutboundTrunkRow {
  organization_id: string;
  enabled: number;
  /** Of the trunk; null = none. */
  host: string | null;
  port: number | null;
  transport: 'udp' | 'tcp' | 'tls';
  username: string | null;
  /** Sealed; never shown. */
  password: string | null;
  /** A number or a SIP URI. */
  caller_id: string | null;
  /** JSON lists. */
  allowed_numbers: string;
  allowed_domains: string;
}

export interface WebhookEndpointRow {
  id: string;
  organization_id: string;
  url: string;
  /** JSON list of event types; `*` stands for all. */
  events: string;
  /** Sealed. */
  secret: string;
  active: number;
  created_at: number;
}

/** An event that an organization may be told of, written in the transaction of the change it tells of. */
interface EventRow {
  /** Rises; the order of the events of a session. */
  sequence: Generated<number>;
  id: string;
  organization_id: string;
  session_id: string | null;
  type: string;
  /** JSON of `data` in the envelope. */
  data: string;
  created_at: number;
}

/** An event on its way to an endpoint. */
export interface DeliveryRow {
  id: string;
  event_id: string;
  endpoint_id: string;
  organization_id: string;
  session_id: string | null;
  /** The event's. */
  sequence: number;
  status: 'pending' | 'delivered' | 'failed';
  attempts: number;
  /** When the next attempt is due; a claim moves it on, so that a worker that dies loses nothing. */
  due_at: number;
  created_at: number;
}

export interface DeliveryAttemptRow {
  delivery_id: string;
  attempt: number;
  at: number;
  /** HTTP status, null when no answer came. */
  status: number | null;
  error: string | null;
  duration_ms: number;
}

/** A request that carried an `Idempotency-Key`, and its answer once there is one. */
interface IdempotencyRow {
  organization_id: string;
  key: string;
  /** SHA-256 of method, path and body. */
  fingerprint: string;
  /** null while the request is being worked on. */
  status: number | null;
  body: string | null;
  created_at: number;
  /** While it is being worked on: until when it holds its key; null for those of an earlier release. */
  lease_until: number | null;
}

/** A leg that is up or being dialed, so that its record and its last event can be made should this process die. */
interface OpenLegRow {
  leg_id: string;
  session_id: string;
  /** JSON of its facts, and of its record as far as it is known. */
  leg: string;
  record: string;
}

/** What a call to a self-test number has found. */
interface SipTestRow {
  id: string;
  organization_id: string;
  ended_at: number;
  /** JSON of `TestReport`. */
  report: string;
}

/** What was said in a session, as a whole; made with its first turn. */
export interface TranscriptRow {
  session_id: SessionId;
  /** Turns that are kept; the sequence of the last one. */
  turns: number;
  /** Of their texts and translations. */
  characters: number;
  /** Turns that were not kept, because there were too many. */
  dropped: number;
  /** null while more may come. */
  completed_at: number | null;
}

export interface TranscriptTurnRow {
  session_id: SessionId;
  /** From 1 on. */
  sequence: number;
  /** The pipeline's; null when it gave none. */
  segment_id: string | null;
  speaker: string;
  language: string | null;
  text: string;
  translation_language: string | null;
  /** null when it was not translated. */
  translation: string | null;
  /** When it came. */
  at: number;
}
