import type { Transaction } from 'kysely';
import { newDeliveryId, newEventId, type SessionId } from '../ids.ts';
import { forReference, forUpdate } from '../store/claims.ts';
import type { Schema } from '../store/schema.ts';

/** What a webhook endpoint can ask for (contract §8), as far as this gateway has it. */
export const eventTypes = [
  'session.created',
  'session.started',
  'session.ended',
  'session.dial.ringing',
  'session.dial.failed',
  'session.dtmf',
  'session.provider.connected',
  'session.provider.disconnected',
] as const;
/** Key presses may be a card's number: they go only to who names them, `*` does not. */
export const onlyByName: ReadonlySet<string> = new Set<EventType>(['session.dtmf']);
type EventType = (typeof eventTypes)[number];

export interface NewEvent {
  organizationId: string;
  sessionId: string | null;
  type: EventType;
  /** `data` of the envelope. */
  data: object;
  /** Wall clock, ms. */
  at: number;
}

/**
 * Writes an event and its deliveries to the endpoints that asked for it, in the transaction of the change that it tells
 * of: both are on disk, or neither (decisions §8). Nothing is written where nobody listens.
 */
export async function writeEvent(transaction: Transaction<Schema>, event: NewEvent): Promise<void> {
  const listening = transaction
    .selectFrom('webhook_endpoints')
    .select(['id', 'events'])
    .where('organization_id', '=', event.organizationId)
    .where('active', '=', 1);
  const endpoints = await forReference(listening).execute();
  const wanting = endpoints.filter(({ events }) => {
    const wanted = JSON.parse(events) as string[];
    return wanted.includes(event.type) || (wanted.includes('*') && !onlyByName.has(event.type));
  });
  if (wanting.length === 0) return;
  // The sequence is given out now: the next event of this session waits until this one is committed, on any node.
  if (event.sessionId !== null)
    await forUpdate(
      transaction
        .selectFrom('sessions')
        .select('id')
        .where('id', '=', event.sessionId as SessionId),
    ).execute();
  const row = {
    id: newEventId(),
    organization_id: event.organizationId,
    session_id: event.sessionId,
    type: event.type,
    data: JSON.stringify(event.data),
    created_at: event.at,
  };
  const { sequence } = await transaction
    .insertInto('events')
    .values(row)
    .returning('sequence')
    .executeTakeFirstOrThrow();
  const deliveries = wanting.map(({ id }) => ({
    id: newDeliveryId(),
    event_id: row.id,
    endpoint_id: id,
    organization_id: event.organizationId,
    session_id: event.sessionId,
    sequence: Number(sequence),
    status: 'pending' as const,
    attempts: 0,
    due_at: event.at,
    created_at: event.at,
  }));
  await transaction.insertInto('deliveries').values(deliveries).execute();
}
