import { type CreateTableBuilder, type Kysely, sql } from 'kysely';
import type { Schema } from './schema.ts';

/** The first two changes of the schema: sessions and calls, then telephony and webhooks. Later ones build on them. */
export type Dialect = 'sqlite' | 'postgres';

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

export async function createFirstTables(db: Kysely<Schema>, dialect: Dialect): Promise<void> {
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

export async function createTelephonyAndWebhooks(db: Kysely<Schema>, dialect: Dialect): Promise<void> {
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
