import type { Clock } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { newSessionId, type SessionId } from '../ids.ts';
import type { SessionMode } from '../roles.ts';
import type { Store } from '../store/store.ts';
import type { CallRecord } from '../telemetry/call-record.ts';
import type { Route } from './routing.ts';
import { readSession, type Session, type SessionEvent, transition } from './session.ts';

export interface NewSession {
  organizationId: string;
  mode: SessionMode;
  sourceLanguage: string | null;
  targetLanguage: string | null;
  routing: Readonly<Record<string, unknown>> | null;
  metadata: Readonly<Record<string, unknown>> | null;
  aiAgent: Readonly<Record<string, unknown>> | null;
}

/** Called once for every session that ends, after the end is on disk. */
type EndedListener = (session: Session) => void;

/** The records of sessions and of their legs, and the events of a session's life. */
export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #endedListeners: EndedListener[] = [];

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  onEnded(listener: EndedListener): void {
    this.#endedListeners.push(listener);
  }

  async create(wanted: NewSession, route: Route): Promise<Session> {
    const json = (value: object | null) => (value === null ? null : JSON.stringify(value));
    const row = {
      id: newSessionId(),
      organization_id: wanted.organizationId,
      status: 'created' as const,
      mode: wanted.mode,
      provider: route.provider,
      source_language: wanted.sourceLanguage,
      target_language: wanted.targetLanguage,
      routing: json(wanted.routing),
      metadata: json(wanted.metadata),
      ai_agent: json(wanted.aiAgent),
      created_at: this.#clock.now(),
      started_at: null,
      ended_at: null,
      end_reason: null,
      last_alive_at: null,
    };
    await this.#store.write((transaction) => transaction.insertInto('sessions').values(row).execute());
    return readSession(row);
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
   * @returns the session as it is now, or undefined when there is none
   */
  async apply(id: SessionId, event: SessionEvent): Promise<Session | undefined> {
    const { session, changed } = await this.#store.write(async (transaction) => {
      const row = await transaction
        .selectFrom('sessions')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      const change = row && transition(row.status, event);
      if (!row || !change) return { session: row && readSession(row), changed: false };
      await transaction.updateTable('sessions').set(change).where('id', '=', id).execute();
      return { session: readSession({ ...row, ...change }), changed: true };
    });
    if (changed && session?.status === 'ended')
      for (const listener of this.#endedListeners) listener(session);
    return session;
  }

  async record(call: CallRecord): Promise<void> {
    await this.#store.write((transaction) => transaction.insertInto('call_records').values(call).execute());
  }

  /** The ids of sessions that were made before a moment and never called. */
  async unusedSince(moment: number): Promise<SessionId[]> {
    const rows = await this.#store.db
      .selectFrom('sessions')
      .select('id')
      .where('status', '=', 'created')
      .where('created_at', '<', moment)
      .limit(1000)
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
