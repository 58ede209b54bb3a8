import { type Kysely, sql, type Transaction } from 'kysely';
import { forUpdateSkipLocked } from '../store/claims.ts';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { type Busy, type Candidate, chooseDue } from './capacity.ts';

/** A delivery that this process has taken on, with what its attempt needs. */
export interface Claim extends Candidate {
  sessionId: string | null;
  sequence: number;
  attempts: number;
  url: string;
  /** Sealed. */
  secret: string;
  event: { id: string; type: string; data: string; createdAt: number };
}

/** How long a claimed delivery is left alone by everybody else, ms: longer than an attempt and its record take. */
export const LEASE_MS = 60_000;
/** How long the deliveries of an endpoint that is switched off rest between two looks; switching on wakes them. */
const REST_MS = 3_600_000;
const PAGE = 100;

/** As a literal, so that the partial index on it can be used. */
const pending = sql.lit('pending' as const);

/**
 * Claims deliveries that are due, as far as there is room. A claim moves `due_at` on by a lease: what a process that dies
 * had claimed is due again after it. What cannot go yet (an earlier event of its session is on its way, or its endpoint is
 * off) is put off, so that a backlog is not looked through again and again.
 * @returns the claims, and whether there may be more to claim
 */
export async function claimDue(
  store: Store,
  busy: Busy,
  now: number,
): Promise<{ claims: Claim[]; more: boolean }> {
  const due = await dueDeliveries(store.db, busy, now);
  if (due.length === 0) return { claims: [], more: false };
  const blocked = due.filter((one) => one.blocked_by !== null);
  const resting = due.filter((one) => one.blocked_by === null && one.active === 0);
  const ready = due
    .filter((one) => one.blocked_by === null && one.active === 1)
    .map((one) => ({ id: one.id, endpointId: one.endpoint_id, organizationId: one.organization_id }));
  const chosen = chooseDue(ready, busy);
  const looked = [...blocked, ...resting, ...chosen].map(({ id }) => id);
  const taken = await store.write(async (transaction) => {
    const held = await hold(transaction, looked, now);
    const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id).filter((id) => held.has(id));
    await putOffBlocked(
      transaction,
      blocked.filter(({ id }) => held.has(id)),
      now,
    );
    await setDue(transaction, ids(resting), now + REST_MS);
    await setDue(transaction, ids(chosen), now + LEASE_MS);
    return ids(chosen);
  });
  return { claims: await readClaims(store.db, taken), more: due.length === PAGE || taken.length > 0 };
}

/**
 * Holds deliveries until the transaction ends: those that are pending, due by then, and held by no other process.
 * @returns when each is due
 */
async function hold(
  transaction: Transaction<Schema>,
  ids: readonly string[],
  dueBy?: number,
): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map();
  let query = transaction
    .selectFrom('deliveries')
    .select(['id', 'due_at'])
    .where('id', 'in', ids)
    .where('status', '=', 'pending');
  if (dueBy !== undefined) query = query.where('due_at', '<=', dueBy);
  const rows = await forUpdateSkipLocked(query).execute();
  return new Map(rows.map(({ id, due_at }) => [id, due_at]));
}

/**
 * Lets events wait as long as the one before them does; whoever settles that one makes them due again. The one before is
 * held for it: if it is being settled right now, nothing is put off, for nobody would make it due again.
 */
async function putOffBlocked(
  transaction: Transaction<Schema>,
  blocked: readonly { id: string; blocked_by: string | null }[],
  now: number,
): Promise<void> {
  const earlier = await hold(transaction, [...new Set(blocked.flatMap((one) => one.blocked_by ?? []))]);
  for (const { id, blocked_by } of blocked) {
    const until = earlier.get(blocked_by ?? '');
    if (until !== undefined) await setDue(transaction, [id], Math.max(until, now + LEASE_MS));
  }
}

async function setDue(transaction: Transaction<Schema>, ids: readonly string[], at: number): Promise<void> {
  if (ids.length === 0) return;
  await transaction.updateTable('deliveries').set({ due_at: at }).where('id', 'in', ids).execute();
}

function dueDeliveries(db: Kysely<Schema>, { endpoints, organizations, deliveries }: Busy, now: number) {
  let query = db
    .selectFrom('deliveries')
    .innerJoin('webhook_endpoints', 'webhook_endpoints.id', 'deliveries.endpoint_id')
    .select(['deliveries.id', 'endpoint_id', 'deliveries.organization_id', 'due_at', 'active'])
    .select((eb) =>
      eb
        .selectFrom('deliveries as earlier')
        .select('earlier.id')
        .whereRef('earlier.endpoint_id', '=', 'deliveries.endpoint_id')
        .whereRef('earlier.session_id', '=', 'deliveries.session_id')
        .whereRef('earlier.sequence', '<', 'deliveries.sequence')
        .where('earlier.status', '=', pending)
        .orderBy('earlier.sequence')
        .limit(1)
        .as('blocked_by'),
    )
    .where('status', '=', pending)
    .where('due_at', '<=', now);
  // Lists of nothing are no SQL.
  if (endpoints.size > 0) query = query.where('endpoint_id', 'not in', [...endpoints]);
  if (organizations.size > 0) query = query.where('deliveries.organization_id', 'not in', [...organizations]);
  if (deliveries.size > 0) query = query.where('deliveries.id', 'not in', [...deliveries]);
  return query.orderBy('due_at').limit(PAGE).execute();
}

async function readClaims(db: Kysely<Schema>, ids: readonly string[]): Promise<Claim[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('deliveries')
    .innerJoin('webhook_endpoints', 'webhook_endpoints.id', 'deliveries.endpoint_id')
    .innerJoin('events', 'events.id', 'deliveries.event_id')
    .selectAll('deliveries')
    .select(['url', 'secret', 'type', 'data', 'events.created_at as event_created_at'])
    .where('deliveries.id', 'in', ids)
    .orderBy('deliveries.sequence')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    endpointId: row.endpoint_id,
    organizationId: row.organization_id,
    sessionId: row.session_id,
    sequence: row.sequence,
    attempts: row.attempts,
    url: row.url,
    secret: row.secret,
    event: { id: row.event_id, type: row.type, data: row.data, createdAt: row.event_created_at },
  }));
}

/** Gives claims back, as they were: whoever looks next may take them. */
export async function releaseClaims(store: Store, claims: readonly Claim[], now: number): Promise<void> {
  if (claims.length === 0) return;
  const ids = claims.map(({ id }) => id);
  await store.write((transaction) =>
    transaction
      .updateTable('deliveries')
      .set({ due_at: now })
      .where('id', 'in', ids)
      .where('status', '=', 'pending')
      .execute(),
  );
}
