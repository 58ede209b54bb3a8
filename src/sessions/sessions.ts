import type { Transaction } from 'kysely';
import type { Clock } from '../clock.ts';
import type { KeyPress } from '../dtmf.ts';
import { ApiError } from '../errors.ts';
import type { LegId, SessionId } from '../ids.ts';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { CallRecord, OpenCallRecord } from '../telemetry/call-record.ts';
import { type NewEvent, writeEvent } from './events.ts';
import { keyPressData, type LegFacts, legView, providerOf, ringingData } from './leg-view.ts';
import { type NewSession, newSessionRow } from './new-session.ts';
import { closeOpenLegs, keepOpen, sessionsLeftBehind, writeRecord } from './open-legs.ts';
import type { Route } from './routing.ts';
import { durationSeconds, readSession, type Session, type SessionEvent, transition } from './session.ts';
import { sessionView } from './session-view.ts';
import {
  degradedData,
  keepTranslation,
  type Outage,
  recoveredData,
  type TranslationState,
} from './translation.ts';

export interface PreparedSession {
  session: Session;
  save: (also?: AlsoWrite<Session>) => Promise<void>;
}

/** Sessions that one sweep looks at; what is left comes with the next. */
const SWEPT_AT_ONCE = 5000;

/** Called for every session that ends, after the end is on disk; more than once where nodes share a database. */
type EndedListener = (session: Session) => void;

/** Something more that is written in the transaction of a change: both are on disk, or neither. */
export type AlsoWrite<T> = (transaction: Transaction<Schema>, changed: T) => Promise<void>;

/** The records of sessions and of their legs, and the events of a session's life. */
export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #endedListeners: EndedListener[] = [];

  readonly #sipDomain: string;
  #onEvent: () => void = () => undefined;

  /** @param sipDomain host part of the sessions' SIP URIs, as the events show them */
  constructor(store: Store, clock: Clock, sipDomain: string) {
    this.#store = store;
    this.#clock = clock;
    this.#sipDomain = sipDomain;
  }

  /** Called after events have been written, so that their delivery need not wait for a look. */
  onEvent(listener: () => void): void {
    this.#onEvent = listener;
  }

  onEnded(listener: EndedListener): void {
    this.#endedListeners.push(listener);
  }

  async create(wanted: NewSession, route: Route, also?: AlsoWrite<Session>): Promise<Session> {
    const { session, save } = this.prepare(wanted, route);
    await save(also);
    return session;
  }

  /** A session that has its id, but is known to nobody until it is saved. */
  prepare(wanted: NewSession, route: Route): PreparedSession {
    const row = newSessionRow(wanted, route, this.#clock.now());
    const session = readSession(row);
    const save = async (also?: AlsoWrite<Session>) => {
      await this.#store.write(async (transaction) => {
        await transaction.insertInto('sessions').values(row).execute();
        await this.#writeSessionEvent(transaction, 'session.created', session, row.created_at);
        await also?.(transaction, session);
      });
      this.#onEvent();
    };
    return { session, save };
  }

  /**
   * The session of a carrier's call: made by the first webhook that tells of it, on any node, and the same for those that
   * come again.
   * @param callId the carrier's
   */
  async ofCarrierCall(wanted: NewSession, route: Route, callId: string): Promise<Session> {
    const row = newSessionRow(wanted, route, this.#clock.now(), callId);
    const known = await this.#store.write(async (transaction) => {
      const made = await transaction
        .insertInto('sessions')
        .values(row)
        .onConflict((conflict) =>
          conflict
            .columns(['organization_id', 'provider', 'carrier_call_id'])
            .where('carrier_call_id', 'is not', null)
            .doNothing(),
        )
        .returning('id')
        .executeTakeFirst();
      if (made !== undefined) {
        await this.#writeSessionEvent(transaction, 'session.created', readSession(row), row.created_at);
        return undefined;
      }
      return transaction
        .selectFrom('sessions')
        .selectAll()
        .where('organization_id', '=', wanted.organizationId)
        .where('provider', '=', route.provider)
        .where('carrier_call_id', '=', callId)
        .executeTakeFirstOrThrow();
    });
    if (known === undefined) this.#onEvent();
    return readSession(known ?? row);
  }

  async find(id: SessionId): Promise<Session | undefined> {
    const row = await this.#store.db
      .selectFrom('sessions')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    return row && readSession(row);
  }

  /** @throws ApiError `session_not_found`, for another organization's session too */
  async ofOrganization(id: SessionId | undefined, organizationId: string): Promise<Session> {
    const session = id && (await this.find(id));
    if (!session || session.organizationId !== organizationId) throw new ApiError('session_not_found');
    return session;
  }

  /**
   * Applies an event to a session; what was decided is on disk when the promise resolves.
   * @param also runs even when the event changes nothing
   * @returns the session as it is now, or undefined when there is none
   */
  async apply(id: SessionId, event: SessionEvent, also?: AlsoWrite<Session>): Promise<Session | undefined> {
    const { session, changed } = await this.#store.write(async (transaction) => {
      const outcome = await advance(transaction, id, event);
      const { session, changed } = outcome;
      if (session && changed)
        await this.#writeSessionEvent(transaction, `session.${event.type}`, session, event.at);
      if (session) await also?.(transaction, session);
      return outcome;
    });
    if (changed) this.#onEvent();
    if (changed && session?.status === 'ended')
      for (const listener of this.#endedListeners) listener(session);
    return session;
  }

  /** Tells of those of these sessions that have ended, whichever node was asked to end them; of some once more. */
  async tellEnded(ids: readonly SessionId[]): Promise<void> {
    if (ids.length === 0) return;
    const rows = await this.#store.db
      .selectFrom('sessions')
      .selectAll()
      .where('id', 'in', ids)
      .where('status', '=', 'ended')
      .execute();
    for (const row of rows) for (const listener of this.#endedListeners) listener(readSession(row));
  }

  /**
   * Writes down that a call is to be placed, before it is: should this process die, it has a record and an event.
   * @param also the answer to whoever wanted it
   * @throws ApiError `session_ended`
   */
  async dialing(leg: LegFacts, record: OpenCallRecord, also?: AlsoWrite<OpenCallRecord>): Promise<void> {
    await this.#store.write(async (transaction) => {
      // Seen alive from here on, so that what is left behind of it is found.
      const { numUpdatedRows } = await transaction
        .updateTable('sessions')
        .set({ last_alive_at: record.started_at })
        .where('id', '=', leg.sessionId)
        .where('status', '!=', 'ended')
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === 0n) throw new ApiError('session_ended');
      await keepOpen(transaction, leg, record);
      await also?.(transaction, record);
    });
  }

  /** The callee of a call that we place has answered provisionally. */
  async ringing(leg: LegFacts, record: OpenCallRecord, at: number): Promise<void> {
    const { organizationId, sessionId } = leg;
    const data = ringingData(leg, record.sip_status, at);
    await this.#store.write(async (transaction) => {
      await keepOpen(transaction, leg, record);
      await writeEvent(transaction, { organizationId, sessionId, type: 'session.dial.ringing', data, at });
    });
    this.#onEvent();
  }

  /** A leg was answered: tells of it (decisions §8), and keeps what is needed should this process die. */
  async connected(
    leg: LegFacts,
    record: OpenCallRecord,
    at: number,
    translation: TranslationState,
  ): Promise<void> {
    const data = {
      session_id: leg.sessionId,
      provider: providerOf(leg),
      leg: legView(leg),
      connected_at: new Date(at).toISOString(),
    };
    const { organizationId, sessionId } = leg;
    await this.#store.write(async (transaction) => {
      await keepOpen(transaction, leg, record);
      await keepTranslation(transaction, sessionId, translation, this.#clock.now());
      await writeEvent(transaction, {
        organizationId,
        sessionId,
        type: 'session.provider.connected',
        data,
        at,
      });
    });
    this.#onEvent();
  }

  /** The pipeline has been missing for more than a second, and a call is up. */
  async degraded({ id, organizationId }: Session, outage: Outage, at: number): Promise<void> {
    const event = { type: 'session.degraded', data: degradedData(id, outage), at } as const;
    await this.#translated({ ...event, sessionId: id, organizationId }, 'degraded');
  }

  /** It is back. @param translation what the session's is now: null when no call is up */
  async recovered(
    { id, organizationId }: Session,
    since: number,
    at: number,
    translation: TranslationState,
  ): Promise<void> {
    const event = { type: 'session.recovered', data: recoveredData(id, since, at), at } as const;
    await this.#translated({ ...event, sessionId: id, organizationId }, translation);
  }

  /** The end of a session is the last that is told of it. */
  async #translated(
    event: NewEvent & { sessionId: SessionId },
    translation: TranslationState,
  ): Promise<void> {
    await this.#store.write(async (transaction) => {
      const goesOn = await keepTranslation(transaction, event.sessionId, translation);
      if (goesOn) await writeEvent(transaction, event);
    });
    this.#onEvent();
  }

  /** A party has pressed a key. */
  async keyPressed(leg: LegFacts, press: KeyPress, at: number): Promise<void> {
    const { organizationId, sessionId } = leg;
    const data = keyPressData(leg, press, at);
    await this.#store.write((transaction) =>
      writeEvent(transaction, { organizationId, sessionId, type: 'session.dtmf', data, at }),
    );
    this.#onEvent();
  }

  /**
   * Keeps the record of a leg that ended, and tells of it if it was ever answered.
   * @param translation what the session's is without the leg
   */
  async record(call: CallRecord, leg: LegFacts, translation: TranslationState): Promise<void> {
    await this.#store.write(async (transaction) => {
      await writeRecord(transaction, call, leg);
      if (call.answered_at !== null) await keepTranslation(transaction, leg.sessionId, translation);
    });
    this.#onEvent();
  }

  /**
   * Ends a session whose process died: its legs get the records and events that nobody has written, as of when it was
   * last seen.
   */
  async endLeftBehind(id: SessionId, at: number, reason: string): Promise<void> {
    await this.#store.write(async (transaction) => {
      await closeOpenLegs(transaction, id, at);
      const { session, changed } = await advance(transaction, id, { type: 'ended', at, reason });
      if (session && changed) await this.#writeSessionEvent(transaction, 'session.ended', session, at);
    });
    this.#onEvent();
    // A client may be connected to it that is no party.
    await this.tellEnded([id]);
  }

  /** The legs of a session whose process died get their records and events; the session may be called again. */
  async closeLegsLeftBehind(id: SessionId, at: number): Promise<void> {
    await this.#store.write(async (transaction) => {
      await closeOpenLegs(transaction, id, at);
      await keepTranslation(transaction, id, null);
    });
    this.#onEvent();
  }

  /** Sessions whose legs a process left behind, and as of when these are to be closed. */
  withLegsLeftBehind(aliveBefore: number): Promise<{ id: SessionId; lastAliveAt: number }[]> {
    return sessionsLeftBehind(this.#store.db, aliveBefore, SWEPT_AT_ONCE);
  }

  /** The records of a session's legs, oldest first. */
  calls(id: SessionId): Promise<CallRecord[]> {
    return this.#store.db
      .selectFrom('call_records')
      .selectAll()
      .where('session_id', '=', id)
      .orderBy('started_at')
      .execute();
  }

  /** The SIP Call-ID of a leg that has ended, where it had one. */
  async callIdOf(leg: LegId): Promise<string | undefined> {
    const row = await this.#store.db
      .selectFrom('call_records')
      .select('sip_call_id')
      .where('leg_id', '=', leg)
      .executeTakeFirst();
    return row?.sip_call_id || undefined;
  }

  async #writeSessionEvent(
    transaction: Transaction<Schema>,
    type: 'session.created' | 'session.started' | 'session.ended',
    session: Session,
    at: number,
  ): Promise<void> {
    const view = sessionView(session, this.#sipDomain);
    const ended = { duration_seconds: durationSeconds(session), reason: session.endReason };
    const data = type === 'session.ended' ? { ...view, ...ended } : view;
    const { id: sessionId, organizationId } = session;
    await writeEvent(transaction, { organizationId, sessionId, type, data, at });
  }

  /** The ids of sessions that were made before a moment, never called, and not seen alive on any node lately. */
  async unusedSince(moment: number, aliveBefore: number): Promise<SessionId[]> {
    const rows = await this.#store.db
      .selectFrom('sessions')
      .select('id')
      .where('status', '=', 'created')
      .where('created_at', '<', moment)
      .where((is) => is.or([is('last_alive_at', 'is', null), is('last_alive_at', '<', aliveBefore)]))
      .limit(SWEPT_AT_ONCE)
      .execute();
    return rows.map((row) => row.id);
  }

  /** Writes down that these sessions are up now. */
  async markAlive(ids: readonly SessionId[]): Promise<void> {
    if (ids.length === 0) return;
    const now = this.#clock.now();
    await this.#store.write((transaction) =>
      transaction.updateTable('sessions').set({ last_alive_at: now }).where('id', 'in', ids).execute(),
    );
  }

  /** Sessions that are active, and when each was last seen alive; after a start, what an earlier run left behind. */
  async active(): Promise<{ id: SessionId; lastAliveAt: number }[]> {
    const rows = await this.#store.db
      .selectFrom('sessions')
      .select(['id', 'created_at', 'started_at', 'last_alive_at'])
      .where('status', '=', 'active')
      .execute();
    return rows.map((row) => ({
      id: row.id,
      lastAliveAt: row.last_alive_at ?? row.started_at ?? row.created_at,
    }));
  }
}

/** Makes the change that an event asks for, unless another has been faster: then it is looked at anew. */
async function advance(
  transaction: Transaction<Schema>,
  id: SessionId,
  event: SessionEvent,
): Promise<{ session: Session | undefined; changed: boolean }> {
  for (;;) {
    const row = await transaction.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst();
    const change = row && transition(row.status, event);
    if (!row || !change) return { session: row && readSession(row), changed: false };
    const { numUpdatedRows } = await transaction
      .updateTable('sessions')
      .set(change)
      .where('id', '=', id)
      .where('status', '=', row.status)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 1n) return { session: readSession({ ...row, ...change }), changed: true };
  }
}
