import { type Kysely, sql } from 'kysely';
import type { Schema } from './schema.ts';

/** Changes of the schema, in order; each runs once, and its number is kept in the table `migrations`. */
const migrations: readonly ((db: Kysely<Schema>) => Promise<void>)[] = [createFirstTables];

export async function migrate(db: Kysely<Schema>, now: number): Promise<void> {
  await db.schema
    .createTable('migrations')
    .ifNotExists()
    .addColumn('version', 'integer', (c) => c.primaryKey())
    .addColumn('applied_at', 'bigint', (c) => c.notNull())
    .execute();
  const done = await db.selectFrom('migrations').select('version').execute();
  const applied = new Set(done.map((row) => row.version));
  for (const [index, change] of migrations.entries()) {
    const version = index + 1;
    if (applied.has(version)) continue;
    await db.transaction().execute(async (transaction) => {
      await change(transaction);
      await transaction.insertInto('migrations').values({ version, applied_at: now }).execute();
    });
  }
}

async function createFirstTables(db: Kysely<Schema>): Promise<void> {
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
  await createCallTables(db);
}

async function createCallTables(db: Kysely<Schema>): Promise<void> {
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
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
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
