import type { Transaction } from 'kysely';
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
    await writeRecord(transaction, call, JSON.parse(row.leg) as LegFacts);
  }
}

/** Keeps the record of a leg that ended, and tells of it if it was ever answered, or dialed. */
export async function writeRecord(
  transaction: Transaction<Schema>,
  call: CallRecord,
  leg: LegFacts,
): Promise<void> {
  await transaction.deleteFrom('open_legs').where('leg_id', '=', call.leg_id).execute();
  await transaction.insertInto('call_records').values(call).execute();
  const { organizationId, sessionId } = leg;
  const about = { organizationId, sessionId, at: call.ended_at };
  if (call.answered_at !== null) {
    const data = disconnectedData(call, leg);
    await writeEvent(transaction, { ...about, type: 'session.provider.disconnected', data });
  } else if (call.direction === 'outbound') {
    await writeEvent(transaction, { ...about, type: 'session.dial.failed', data: dialFailedData(call, leg) });
  }
}
