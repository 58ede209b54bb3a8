import { type CreateTableBuilder, type Kysely, sql } from 'kysely';
import type { Schema } from './schema.ts';

type Dialect = 'sqlite' | 'postgres';
type Migration = (db: Kysely<Schema>, dialect: Dialect) => Promise<void>;

/** Changes of the schema, in order; each runs once, and its number is kept in the table `migrations`. */
const migrations: readonly Migration[] = [
  createFirstTables,
  createTelephonyAndWebhooks,
  createOutboundTrunks,
  addOutboundCalls,
  addConversationQuality,
  addTlsSettings,
  addSrtp,
  addCodecs,
  addLatency,
  addKeyPresses,
  createTranscripts,
  addTranslation,
];

/** PostgreSQL's advisory lock for changes of the schema; any number will do, if it is always this one. */
const LOCK = 7_265_011;

/**
 * Brings the schema up to date in one transaction. Of processes that start at once one does it while the others wait: for
 * the advisory lock, or for SQLite's lock of the file that the transaction begins with (`begin immediate`).
 */
export async function migrate(db: Kysely<Schema>, dialect: Dialect, now: number): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(${LOCK})`.execute(transaction);
    await transaction.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('version', 'integer', (c) => c.primaryKey())
      .addColumn('applied_at', 'bigint', (c) => c.notNull())
      .execute();
    const done = await transaction.selectFrom('migrations').select('version').execute();
    const applied = new Set(done.map((row) => row.version));
    for (const [index, change] of migrations.entries()) {
      const version = index + 1;
      if (applied.has(version)) continue;
      await change(transaction, dialect);
      await transaction.insertInto('migrations').values({ version, applied_at: now }).execute();
    }
  });
}

/** A primary key that the database counts up. */
function addCounted<T extends string, C extends string, N extends string>(
  table: CreateTableBuilder<T, C>,
  name: N,
  dialect: Dialect,
): CreateTableBuilder<T, C | N> {
  return dialect === 'sqlite'
    ? table.addColumn(name, 'integer', (c) => c.primaryKey().autoIncrement())
    : table.addColumn(name, 'bigserial', (c) => c.primaryKey());
}

async function createFirstTables(db: Kysely<Schema>, dialect: Dialect): Promise<void> {
  await db.schema
    .createTable('organizations')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('active', 'integer', (c) => c.notNull())
    .addColumn('managed_by', 'text', (c) => c.notNull())
    .addColumn('sip_enabled', 'integer', (c) => c.notNull())
    .addColumn('sip_username', 'text', (c) => c.unique())
    .addColumn('sip_credentials', 'text')
    .addColumn('sip_allowed_ips', 'text', (c) => c.notNull())
    .addColumn('sip_require_digest', 'integer', (c) => c.notNull())
    .addColumn('sip_concurrency_limit', 'integer', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('api_keys')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('hash', 'text', (c) => c.notNull().unique())
    .addColumn('environment', 'text', (c) => c.notNull())
    .addColumn('managed_by', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('secrets')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute();
  await createCallTables(db, dialect);
}

async function createCallTables(db: Kysely<Schema>, dialect: Dialect): Promise<void> {
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('mode', 'text', (c) => c.notNull())
    .addColumn('provider', 'text', (c) => c.notNull())
    .addColumn('source_language', 'text')
    .addColumn('target_language', 'text')
    .addColumn('routing', 'text')
    .addColumn('metadata', 'text')
    .addColumn('ai_agent', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('ended_at', 'bigint')
    .addColumn('end_reason', 'text')
    .addColumn('last_alive_at', 'bigint')
    .execute();
  await db.schema
    .createIndex('sessions_open')
    .on('sessions')
    .columns(['status', 'created_at'])
    .where(sql.ref('status'), '!=', 'ended')
    .execute();
  await createCallRecords(db);
  await db.schema
    .createTable('registrations')
    .$call((table) => addCounted(table, 'id', dialect))
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('aor', 'text', (c) => c.notNull())
    .addColumn('contact', 'text', (c) => c.notNull())
    .addColumn('source_address', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('registrations_binding', ['organization_id', 'aor', 'contact'])
    .execute();
}

async function createCallRecords(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('call_records')
    .addColumn('leg_id', 'text', (c) => c.primaryKey())
    .addColumn('session_id', 'text', (c) => c.notNull())
    .addColumn('organization_id', 'text', (c) => c.notNull())
    .addColumn('role', 'text', (c) => c.notNull())
    .addColumn('sip_call_id', 'text', (c) => c.notNull())
    .addColumn('from_uri', 'text', (c) => c.notNull())
    .addColumn('to_uri', 'text', (c) => c.notNull())
    .addColumn('source_address', 'text', (c) => c.notNull())
    .addColumn('transport', 'text', (c) => c.notNull())
    .addColumn('codec', 'text', (c) => c.notNull())
    .addColumn('started_at', 'bigint', (c) => c.notNull())
    .addColumn('answered_at', 'bigint')
    .addColumn('ended_at', 'bigint', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('setup_ms', 'integer')
    .addColumn('duration_seconds', 'double precision', (c) => c.notNull())
    .addColumn('packets_received', 'bigint', (c) => c.notNull())
    .addColumn('packets_sent', 'bigint', (c) => c.notNull())
    .addColumn('packets_lost', 'bigint', (c) => c.notNull())
    .addColumn('packets_late', 'bigint', (c) => c.notNull())
    .addColumn('packets_dropped', 'bigint', (c) => c.notNull())
    .addColumn('jitter_ms', 'double precision', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('call_records_session').on('call_records').column('session_id').execute();
}

async function createTelephonyAndWebhooks(db: Kysely<Schema>, dialect: Dialect): Promise<void> {
  await db.schema.alterTable('organizations').addColumn('sip_media_timeout_seconds', 'integer').execute();
  await db.schema
    .alterTable('organizations')
    .addColumn('sip_inbound_first', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema.alterTable('organizations').addColumn('sip_session_defaults', 'text').execute();
  await db.schema
    .alterTable('api_keys')
    .addColumn('scopes', 'text', (c) => c.notNull().defaultTo('["*"]'))
    .execute();
  await db.schema
    .createTable('numbers')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('phone_number', 'text', (c) => c.notNull().unique())
    .addColumn('carrier', 'text', (c) => c.notNull())
    .addColumn('active', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('connections')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('provider', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('credentials', 'text', (c) => c.notNull())
    .addColumn('account', 'text')
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('status_detail', 'text')
    .addColumn('is_default', 'integer', (c) => c.notNull())
    .addColumn('active', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('connections_organization')
    .on('connections')
    .column('organization_id')
    .execute();
  await db.schema.alterTable('sessions').addColumn('phone_number', 'text').execute();
  await db.schema.alterTable('sessions').addColumn('connection_id', 'text').execute();
  await db.schema
    .createTable('open_legs')
    .addColumn('leg_id', 'text', (c) => c.primaryKey())
    .addColumn('session_id', 'text', (c) => c.notNull())
    .addColumn('leg', 'text', (c) => c.notNull())
    .addColumn('record', 'text', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('open_legs_session').on('open_legs').column('session_id').execute();
  await createWebhookTables(db, dialect);
  await db.schema
    .createTable('idempotency_keys')
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('fingerprint', 'text', (c) => c.notNull())
    .addColumn('status', 'integer')
    .addColumn('body', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('idempotency_keys_key', ['organization_id', 'key'])
    .execute();
  await db.schema
    .createIndex('idempotency_keys_created')
    .on('idempotency_keys')
    .column('created_at')
    .execute();
}

async function createWebhookTables(db: Kysely<Schema>, dialect: Dialect): Promise<void> {
  await db.schema
    .createTable('webhook_endpoints')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('events', 'text', (c) => c.notNull())
    .addColumn('secret', 'text', (c) => c.notNull())
    .addColumn('active', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('webhook_endpoints_organization')
    .on('webhook_endpoints')
    .column('organization_id')
    .execute();
  await db.schema
    .createTable('events')
    .$call((table) => addCounted(table, 'sequence', dialect))
    .addColumn('id', 'text', (c) => c.notNull().unique())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('session_id', 'text')
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('data', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('deliveries')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('event_id', 'text', (c) => c.notNull().references('events.id').onDelete('cascade'))
    .addColumn('endpoint_id', 'text', (c) =>
      c.notNull().references('webhook_endpoints.id').onDelete('cascade'),
    )
    .addColumn('organization_id', 'text', (c) => c.notNull())
    .addColumn('session_id', 'text')
    .addColumn('sequence', 'bigint', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('due_at', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('deliveries_due')
    .on('deliveries')
    .columns(['status', 'due_at'])
    .where(sql.ref('status'), '=', 'pending')
    .execute();
  await db.schema
    .createIndex('deliveries_order')
    .on('deliveries')
    .columns(['endpoint_id', 'session_id', 'sequence'])
    .execute();
  await db.schema.createIndex('deliveries_list').on('deliveries').columns(['endpoint_id', 'id']).execute();
  // An event that is deleted takes its deliveries along.
  await db.schema.createIndex('deliveries_event').on('deliveries').column('event_id').execute();
  await db.schema
    .createTable('delivery_attempts')
    .addColumn('delivery_id', 'text', (c) => c.notNull().references('deliveries.id').onDelete('cascade'))
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('status', 'integer')
    .addColumn('error', 'text')
    .addColumn('duration_ms', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('delivery_attempts_key', ['delivery_id', 'attempt'])
    .execute();
}

async function createOutboundTrunks(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('outbound_trunks')
    .addColumn('organization_id', 'text', (c) => c.primaryKey().references('organizations.id'))
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('host', 'text')
    .addColumn('port', 'integer')
    .addColumn('transport', 'text', (c) => c.notNull())
    .addColumn('username', 'text')
    .addColumn('password', 'text')
    .addColumn('caller_id', 'text')
    .addColumn('allowed_numbers', 'text', (c) => c.notNull())
    .addColumn('allowed_domains', 'text', (c) => c.notNull())
    .execute();
}

async function addOutboundCalls(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('call_records')
    .addColumn('direction', 'text', (c) => c.notNull().defaultTo('inbound'))
    .execute();
  await db.schema.alterTable('call_records').addColumn('sip_status', 'integer').execute();
  await db.schema.alterTable('idempotency_keys').addColumn('lease_until', 'bigint').execute();
}

async function addConversationQuality(db: Kysely<Schema>): Promise<void> {
  const records = () => db.schema.alterTable('call_records');
  await records().addColumn('round_trip_ms', 'double precision').execute();
  await records()
    .addColumn('peer_packets_lost', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute();
  await records()
    .addColumn('peer_jitter_ms', 'double precision', (c) => c.notNull().defaultTo(0))
    .execute();
  await records().addColumn('mos', 'double precision').execute();
}

async function addTlsSettings(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('organizations')
    .addColumn('sip_tls_required', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable('organizations')
    .addColumn('sip_tls_certificates', 'text', (c) => c.notNull().defaultTo('[]'))
    .execute();
}

async function addSrtp(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('organizations')
    .addColumn('sip_srtp', 'text', (c) => c.notNull().defaultTo('off'))
    .execute();
  await db.schema.alterTable('call_records').addColumn('srtp', 'text').execute();
}

async function addCodecs(db: Kysely<Schema>): Promise<void> {
  await db.schema.alterTable('organizations').addColumn('sip_codecs', 'text').execute();
}

async function addLatency(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('call_records')
    .addColumn('jitter_target_ms', 'double precision', (c) => c.notNull().defaultTo(0))
    .execute();
  for (const way of ['to_pipeline', 'from_pipeline'])
    for (const share of ['p50', 'p95', 'p99'])
      await db.schema
        .alterTable('call_records')
        .addColumn(`${way}_${share}_ms`, 'double precision')
        .execute();
}

async function addKeyPresses(db: Kysely<Schema>): Promise<void> {
  for (const column of ['dtmf_received', 'dtmf_sent'])
    await db.schema
      .alterTable('call_records')
      .addColumn(column, 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
}

async function createTranscripts(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('transcripts')
    .addColumn('session_id', 'text', (c) => c.primaryKey().references('sessions.id'))
    .addColumn('turns', 'integer', (c) => c.notNull())
    .addColumn('characters', 'integer', (c) => c.notNull())
    .addColumn('dropped', 'bigint', (c) => c.notNull())
    .addColumn('completed_at', 'bigint')
    .execute();
  await db.schema.createIndex('transcripts_completed').on('transcripts').column('completed_at').execute();
  await db.schema
    .createTable('transcript_turns')
    .addColumn('session_id', 'text', (c) =>
      c.notNull().references('transcripts.session_id').onDelete('cascade'),
    )
    .addColumn('sequence', 'integer', (c) => c.notNull())
    .addColumn('segment_id', 'text')
    .addColumn('speaker', 'text', (c) => c.notNull())
    .addColumn('language', 'text')
    .addColumn('text', 'text', (c) => c.notNull())
    .addColumn('translation_language', 'text')
    .addColumn('translation', 'text')
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('transcript_turns_key', ['session_id', 'sequence'])
    .addUniqueConstraint('transcript_turns_segment', ['session_id', 'segment_id'])
    .execute();
}

async function addTranslation(db: Kysely<Schema>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('translation', 'text').execute();
  await db.schema.alterTable('sessions').addColumn('mix_original_db', 'double precision').execute();
}
