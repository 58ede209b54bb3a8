import type { Kysely, Transaction } from 'kysely';
import type { SessionId } from '../ids.ts';
import type { Schema } from '../store/schema.ts';
import type { CallRecord, OpenCallRecord } from '../telemetry/call-record.ts';
import { writeEvent } from './events.ts';
import { dialFailedData, disconnectedData, type LegFacts } from './leg-view.ts';

/** Keeps what is needed to close a leg should this process die. */
export async function keepOpen(
  transaction: Transaction<Schema>,
  leg: LegFacts,
  record: OpenCallRecord,
): Promise<void> {
  const now = { leg: JSON.stringify(leg), record: JSON.stringify(record) };
  await transaction
    .insertInto('open_legs')
    .values({ leg_id: leg.id, session_id: leg.sessionId, ...now })
    .onConflict((conflict) => conflict.column('leg_id').doUpdateSet(now))
    .execute();
}

/**
 * Sessions with open legs that no node has marked alive for a while: those without audio so far, and those that ended before
 * the records of their legs were kept. The others end with their process.
 * @param aliveBefore wall clock, ms
 */
export async function sessionsLeftBehind(
  db: Kysely<Schema>,
  aliveBefore: number,
  limit: number,
): Promise<{ id: SessionId; lastAliveAt: number }[]> {
  const rows = await db
    .selectFrom('open_legs')
    .innerJoin('sessions', 'sessions.id', 'open_legs.session_id')
    .select(['sessions.id', 'sessions.last_alive_at', 'sessions.ended_at'])
    .distinct()
    .where('sessions.status', 'in', ['created', 'ended'])
    .where('sessions.last_alive_at', '<', aliveBefore)
    .where((is) => is.or([is('sessions.ended_at', 'is', null), is('sessions.ended_at', '<', aliveBefore)]))
    .limit(limit)
    .execute();
  return rows.map(({ id, last_alive_at, ended_at }) => ({
    id,
    lastAliveAt: Number(ended_at ?? last_alive_at),
  }));
}

/** What nobody has written of a session's legs, as of when it was last seen. Of nodes that do it at once, one does it. */
export async function closeOpenLegs(
  transaction: Transaction<Schema>,
  id: SessionId,
  at: number,
): Promise<void> {
  const open = await transaction
    .deleteFrom('open_legs')
    .where('session_id', '=', id)
    .returningAll()
    .execute();
  for (const row of open) {
    const begun = JSON.parse(row.record) as OpenCallRecord;
    const seconds = Math.max(0, at - (begun.answered_at ?? at)) / 1000;
    const call: CallRecord = { ...begun, ended_at: at, reason: 'error', duration_seconds: seconds };
    await addRecord(transaction, call, JSON.parse(row.leg) as LegFacts);
  }
}

/**
 * Keeps the record of a leg that ended, and tells of it if it was ever answered, or dialed. What another node has written, who
 * took this one for dead, was a guess: the record is put right, and nothing is told twice.
 */
export async function writeRecord(
  transaction: Transaction<Schema>,
  call: CallRecord,
  leg: LegFacts,
): Promise<void> {
  await transaction.deleteFrom('open_legs').where('leg_id', '=', call.leg_id).execute();
  if (await addRecord(transaction, call, leg)) return;
  await transaction.updateTable('call_records').set(call).where('leg_id', '=', call.leg_id).execute();
}

/** @returns false when the leg has a record */
async function addRecord(
  transaction: Transaction<Schema>,
  call: CallRecord,
  leg: LegFacts,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows: added } = await transaction
    .insertInto('call_records')
    .values(call)
    .onConflict((conflict) => conflict.column('leg_id').doNothing())
    .executeTakeFirstOrThrow();
  if (added !== 1n) return false;
  const { organizationId, sessionId } = leg;
  const about = { organizationId, sessionId, at: call.ended_at };
  if (call.answered_at !== null) {
    const data = disconnectedData(call, leg);
    await writeEvent(transaction, { ...about, type: 'session.provider.disconnected', data });
  } else if (call.direction === 'outbound') {
    await writeEvent(transaction, { ...about, type: 'session.dial.failed', data: dialFailedData(call, leg) });
  }
  return true;
}
