import type { Transaction } from 'kysely';
import { newDeliveryId, newEventId, type SessionId } from '../ids.ts';
import { forReference, forUpdate } from '../store/claims.ts';
import type { Schema } from '../store/schema.ts';

/** What a webhook endpoint can ask for (contract §8), as far as this gateway has it. */
export const eventTypes = [
  'session.created',
  'session.started',
  'session.ended',
  'session.degraded',
  'session.recovered',
  'session.dial.ringing',
  'session.dial.failed',
  'session.dtmf',
  'session.provider.connected',
  'session.provider.disconnected',
  'transcript.segment',
  'transcript.ready',
] as const;
/** Key presses may be a card's number: they go only to who names them, `*` does not. */
export const onlyByName: ReadonlySet<string> = new Set<EventType>(['session.dtmf']);
type EventType = (typeof eventTypes)[number];

export interface NewEvent extends EventKind, Occurrence {}

/** What an event is of. */
interface EventKind {
  organizationId: string;
  sessionId: string | null;
  type: EventType;
}

interface Occurrence {
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
  await writeEvents(transaction, event, [event]);
}

/** The same for several of one kind, in their order. @returns whether somebody listens */
export async function writeEvents(
  transaction: Transaction<Schema>,
  kind: EventKind,
  occurrences: readonly Occurrence[],
): Promise<boolean> {
  if (occurrences.length === 0) return false;
  const wanting = await listeners(transaction, kind);
  if (wanting.length === 0) return false;
  // The sequence is given out now: the next event of this session waits until this one is committed, on any node.
  if (kind.sessionId !== null)
    await forUpdate(
      transaction
        .selectFrom('sessions')
        .select('id')
        .where('id', '=', kind.sessionId as SessionId),
    ).execute();
  const about = { organization_id: kind.organizationId, session_id: kind.sessionId };
  const rows = occurrences.map(({ data, at }) => ({
    id: newEventId(),
    ...about,
    type: kind.type,
    data: JSON.stringify(data),
    created_at: at,
  }));
  const written = await transaction
    .insertInto('events')
    .values(rows)
    .returning(['id', 'sequence', 'created_at'])
    .execute();
  const deliveries = written.flatMap((event) =>
    wanting.map((endpoint) => ({
      id: newDeliveryId(),
      event_id: event.id,
      endpoint_id: endpoint,
      ...about,
      sequence: Number(event.sequence),
      status: 'pending' as const,
      attempts: 0,
      due_at: event.created_at,
      created_at: event.created_at,
    })),
  );
  await transaction.insertInto('deliveries').values(deliveries).execute();
  return true;
}

/** The ids of the endpoints that asked for it. */
async function listeners(
  transaction: Transaction<Schema>,
  { organizationId, type }: EventKind,
): Promise<string[]> {
  const listening = transaction
    .selectFrom('webhook_endpoints')
    .select(['id', 'events'])
    .where('organization_id', '=', organizationId)
    .where('active', '=', 1);
  const endpoints = await forReference(listening).execute();
  const wanting = endpoints.filter(({ events }) => {
    const wanted = JSON.parse(events) as string[];
    return wanted.includes(type) || (wanted.includes('*') && !onlyByName.has(type));
  });
  return wanting.map(({ id }) => id);
}
