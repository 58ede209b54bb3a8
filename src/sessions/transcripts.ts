import { setImmediate } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { Clock } from '../clock.ts';
import type { SessionId } from '../ids.ts';
import { forUpdate } from '../store/claims.ts';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { writeEvent, writeEvents } from './events.ts';
import { readSession, type Session } from './session.ts';
import {
  appendTurns,
  finalData,
  partialData,
  type Segment,
  storable,
  summaryOf,
  type Turn,
  transcriptView,
} from './transcript.ts';

/** What has come of a session's transcript and is to be written together. */
export interface Batch {
  finals: readonly Segment[];
  partials: readonly Segment[];
  /** Finals that were lost before they came here. */
  dropped: number;
}

interface Written {
  /** Finals that are kept, and those that were not because the transcript is full; what came again is neither. */
  kept: number;
  dropped: number;
  /** Whether somebody listens to segments; false when there was none to tell of. */
  told: boolean;
}

/** Turns that are read at once. */
const PAGE = 500;
/** Transcripts that one sweep completes, or deletes in one transaction, and transactions of one sweep. */
const COMPLETED_AT_ONCE = 500;
const BATCH = 20;
const BATCHES_MOST = 50;

/** What was said in the sessions: kept, told of, and read. Source: contract §5.7, §8. */
export class Transcripts {
  readonly #store: Store;
  readonly #clock: Clock;
  #onEvent: () => void = () => undefined;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Called after events have been written, so that their delivery need not wait for a look. */
  onEvent(listener: () => void): void {
    this.#onEvent = listener;
  }

  /** Keeps finals, and tells of them and of partials, in one transaction. A final whose id is known is left out. */
  async write(id: SessionId, { dropped: lost, ...batch }: Batch): Promise<Written> {
    const [finals, partials] = [batch.finals.map(storable), batch.partials.map(storable)];
    const written = await this.#store.write(async (transaction) => {
      const session = await heldSession(transaction, id);
      if (session === undefined) return { kept: 0, dropped: finals.length, told: false };
      const { turns, dropped } = await keepFinals(transaction, session, finals, lost);
      const { organizationId } = session;
      const told = await writeEvents(
        transaction,
        { organizationId, sessionId: id, type: 'transcript.segment' },
        [
          ...turns.map((turn) => ({ data: finalData(turn), at: turn.at })),
          ...partials.map((partial) => ({ data: partialData(session, partial), at: partial.at })),
        ],
      );
      return { kept: turns.length, dropped, told };
    });
    if (written.told) this.#onEvent();
    return written;
  }

  /** The last has come: tells of the transcript, once, if its session has ended and somebody has said something. */
  async complete(id: SessionId): Promise<void> {
    const at = this.#clock.now();
    const completed = await this.#store.write(async (transaction) => {
      const session = await heldSession(transaction, id);
      if (session?.status !== 'ended') return false;
      const row = await transaction
        .updateTable('transcripts')
        .set({ completed_at: at })
        .where('session_id', '=', id)
        .where('completed_at', 'is', null)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined || row.turns === 0) return false;
      const languages = await languagesOf(transaction, id);
      const data = summaryOf(session, { ...row, completed: true, languages }, at);
      const { organizationId } = session;
      await writeEvent(transaction, {
        organizationId,
        sessionId: id,
        type: 'transcript.ready',
        data,
        at,
      });
      return true;
    });
    if (completed) this.#onEvent();
  }

  /** As the API shows it; one without turns is a transcript too. */
  async read(session: Session) {
    const { db } = this.#store;
    // The row first: the turns of a completed transcript are all there.
    const row = await db
      .selectFrom('transcripts')
      .select(['completed_at', 'dropped'])
      .where('session_id', '=', session.id)
      .executeTakeFirst();
    const turns = await this.#turns(session.id);
    const completed = row === undefined ? session.status === 'ended' : row.completed_at !== null;
    return transcriptView(session, turns, { completed, dropped: row?.dropped ?? 0 }, this.#clock.now());
  }

  /** All of them in order, page by page: a long transcript keeps nobody else waiting. */
  async #turns(id: SessionId): Promise<Turn[]> {
    const turns: Turn[] = [];
    for (;;) {
      const page = await this.#store.db
        .selectFrom('transcript_turns')
        .selectAll()
        .where('session_id', '=', id)
        .where('sequence', '>', turns.at(-1)?.sequence ?? 0)
        .orderBy('sequence')
        .limit(PAGE)
        .execute();
      turns.push(...page);
      if (page.length < PAGE) return turns;
      await setImmediate();
    }
  }

  /** Completes the transcripts of sessions that have ended, and whose process has died before it did so. */
  async completeLeftBehind(aliveBefore: number): Promise<void> {
    const rows = await this.#store.db
      .selectFrom('transcripts')
      .innerJoin('sessions', 'sessions.id', 'transcripts.session_id')
      .select('sessions.id')
      .where('transcripts.completed_at', 'is', null)
      .where('sessions.ended_at', '<', aliveBefore)
      .where((is) =>
        is.or([is('sessions.last_alive_at', 'is', null), is('sessions.last_alive_at', '<', aliveBefore)]),
      )
      .limit(COMPLETED_AT_ONCE)
      .execute();
    await Promise.all(rows.map(({ id }) => this.complete(id)));
  }

  /** Deletes what was completed before a moment. @returns how many transcripts */
  async deleteOld(before: number): Promise<number> {
    let deleted = 0;
    for (let batch = 0; batch < BATCHES_MOST; batch++) {
      const rows = await this.#store.db
        .selectFrom('transcripts')
        .select('session_id')
        .where('completed_at', '<', before)
        .limit(BATCH)
        .execute();
      const ids = rows.map(({ session_id }) => session_id);
      if (ids.length > 0)
        await this.#store.write((transaction) =>
          transaction.deleteFrom('transcripts').where('session_id', 'in', ids).execute(),
        );
      deleted += ids.length;
      if (ids.length < BATCH) break;
    }
    return deleted;
  }
}

/** The session, held until the transaction ends: whoever else writes of it, on any node, comes before or after. */
async function heldSession(transaction: Transaction<Schema>, id: SessionId): Promise<Session | undefined> {
  const row = await forUpdate(
    transaction.selectFrom('sessions').selectAll().where('id', '=', id),
  ).executeTakeFirst();
  return row && readSession(row);
}

/**
 * @param lost finals that were lost before they came here
 * @returns the turns that are new, and how many had no room
 */
async function keepFinals(
  transaction: Transaction<Schema>,
  session: Session,
  finals: readonly Segment[],
  lost: number,
): Promise<{ turns: Turn[]; dropped: number }> {
  if (finals.length === 0 && lost === 0) return { turns: [], dropped: 0 };
  const known = await transaction
    .selectFrom('transcripts')
    .select(['turns', 'characters', 'dropped'])
    .where('session_id', '=', session.id)
    .executeTakeFirst();
  const before = known ?? { turns: 0, characters: 0, dropped: 0 };
  const fresh = await unknownOf(transaction, session.id, finals);
  const { turns, after } = appendTurns(session, before, fresh);
  const now = { ...after, dropped: after.dropped + lost };
  await transaction
    .insertInto('transcripts')
    .values({ session_id: session.id, ...now, completed_at: null })
    .onConflict((conflict) => conflict.column('session_id').doUpdateSet(now))
    .execute();
  if (turns.length > 0) await transaction.insertInto('transcript_turns').values(turns).execute();
  return { turns, dropped: after.dropped - before.dropped };
}

/** Finals that have not come before: with an id of their own, or with none. */
async function unknownOf(
  transaction: Transaction<Schema>,
  sessionId: SessionId,
  finals: readonly Segment[],
): Promise<Segment[]> {
  const ids = finals.flatMap(({ id }) => id ?? []);
  if (ids.length === 0) return [...finals];
  const rows = await transaction
    .selectFrom('transcript_turns')
    .select('segment_id')
    .where('session_id', '=', sessionId)
    .where('segment_id', 'in', ids)
    .execute();
  const known = new Set(rows.map(({ segment_id }) => segment_id));
  return finals.filter(({ id }) => {
    if (id === undefined) return true;
    const isNew = !known.has(id);
    known.add(id);
    return isNew;
  });
}

async function languagesOf(transaction: Transaction<Schema>, id: SessionId): Promise<(string | null)[]> {
  const rows = await transaction
    .selectFrom('transcript_turns')
    .select('language')
    .where('session_id', '=', id)
    .groupBy('language')
    .orderBy(({ fn }) => fn.min('sequence'))
    .execute();
  return rows.map(({ language }) => language);
}
