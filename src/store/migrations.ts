import { type Kysely, sql } from 'kysely';
import { createFirstTables, createTelephonyAndWebhooks, type Dialect } from './first-tables.ts';
import type { Schema } from './schema.ts';

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
  addCarrierCalls,
  addStreams,
  createSipTests,
  addCallDetails,
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

async function addCarrierCalls(db: Kysely<Schema>): Promise<void> {
  await db.schema.alterTable('sessions').addColumn('carrier_call_id', 'text').execute();
  await db.schema
    .createIndex('sessions_carrier_call')
    .unique()
    .on('sessions')
    .columns(['organization_id', 'provider', 'carrier_call_id'])
    .where('carrier_call_id', 'is not', null)
    .execute();
  await db.schema.alterTable('numbers').addColumn('session_defaults', 'text').execute();
  await db.schema.alterTable('connections').addColumn('session_defaults', 'text').execute();
  await db.schema.alterTable('connections').addColumn('public_key', 'text').execute();
  await db.schema.createIndex('connections_account').on('connections').column('account').execute();
}

async function addStreams(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .alterTable('call_records')
    .addColumn('provider', 'text', (c) => c.notNull().defaultTo('sip'))
    .execute();
  await db.schema.alterTable('call_records').addColumn('carrier_call_id', 'text').execute();
}

async function createSipTests(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('sip_tests')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('organization_id', 'text', (c) => c.notNull().references('organizations.id'))
    .addColumn('ended_at', 'bigint', (c) => c.notNull())
    .addColumn('report', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('sip_tests_of_organization')
    .on('sip_tests')
    .columns(['organization_id', 'id'])
    .execute();
  await db.schema.createIndex('sip_tests_ended').on('sip_tests').column('ended_at').execute();
}

async function addCallDetails(db: Kysely<Schema>): Promise<void> {
  const records = () => db.schema.alterTable('call_records');
  for (const column of ['user_agent', 'rtp_source']) await records().addColumn(column, 'text').execute();
  await records().addColumn('cause', 'integer').execute();
  for (const moment of ['ringing_at', 'acknowledged_at', 'first_audio_in_at', 'first_audio_out_at'])
    await records().addColumn(moment, 'bigint').execute();
  for (const count of ['holds', 'concealed_ms', 'link_reconnects'])
    await records()
      .addColumn(count, 'bigint', (c) => c.notNull().defaultTo(0))
      .execute();
  for (const way of ['resent', 'lost', 'dropped', 'trimmed'])
    await records()
      .addColumn(`link_${way}_ms`, 'bigint', (c) => c.notNull().defaultTo(0))
      .execute();
  for (const time of ['held_seconds', 'untranslated_seconds'])
    await records()
      .addColumn(time, 'double precision', (c) => c.notNull().defaultTo(0))
      .execute();
}
