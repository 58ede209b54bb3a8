import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { SessionId } from '../../src/ids.ts';
import { type Session, type SessionEvent, transition } from '../../src/sessions/session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { importOrganizations } from '../../src/telephony/configured-organizations.ts';

const RUNS = 300;
const order = { created: 0, active: 1, ended: 2 };

/** The same sequence for the same seed, so that what fails can be run again (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomEvents(seed: number): SessionEvent[] {
  const random = randomOf(seed);
  return Array.from({ length: 1 + Math.floor(random() * 8) }, (_, i) =>
    random() < 0.6
      ? { type: 'started', at: 1000 + i }
      : { type: 'ended', at: 1000 + i, reason: `reason ${i}` },
  );
}

describe('any sequence of events', () => {
  test(`moves a session forward only, and sets each time once (${RUNS} sequences)`, () => {
    for (let seed = 0; seed < RUNS; seed++) {
      let state: Record<string, unknown> & { status: keyof typeof order } = { status: 'created' };
      for (const event of randomEvents(seed)) {
        const change = transition(state.status, event);
        if (change === undefined) continue;
        expect(order[change.status], `seed ${seed}`).toBeGreaterThan(order[state.status]);
        for (const key of Object.keys(change).filter((one) => one !== 'status'))
          expect(state, `seed ${seed}`).not.toHaveProperty(key);
        state = { ...state, ...change };
      }
      const first = (type: string) => randomEvents(seed).find((event) => event.type === type);
      const ended = first('ended');
      expect(state.ended_at, `seed ${seed}`).toBe(ended?.at);
      expect(state.status === 'ended', `seed ${seed}`).toBe(ended !== undefined);
    }
  });
});

describe('events at once, in the real store', () => {
  let store: Store;
  let sessions: Sessions;
  let ends: SessionId[];

  beforeEach(async () => {
    store = await openStore('sqlite::memory:', 0);
    const { organizations } = parseConfig({ organizations: [{ id: 'acme', name: 'Acme' }] });
    await importOrganizations(store, organizations, 'realm');
    sessions = new Sessions(store, systemClock, 'sip.kallglot.com');
    ends = [];
    sessions.onEnded(({ id }) => ends.push(id));
    await store.db
      .insertInto('webhook_endpoints')
      .values({
        id: 'wh_1',
        organization_id: 'acme',
        url: 'https://example.com',
        events: '["*"]',
        secret: 's',
        active: 1,
        created_at: 0,
      })
      .execute();
  });
  afterEach(() => store.close());

  const create = () =>
    sessions.create(
      {
        ...{ organizationId: 'acme', mode: 'ai_agent', sourceLanguage: null, targetLanguage: null },
        ...{ routing: null, metadata: null, aiAgent: null },
      },
      { provider: 'sip' },
    );
  const typesOf = async (id: SessionId) =>
    (
      await store.db
        .selectFrom('events')
        .select('type')
        .where('session_id', '=', id)
        .orderBy('sequence')
        .execute()
    ).map(({ type }) => type);

  test('leave one start and one end of each session, and one event for each', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { id } = await create();
      const events = randomEvents(seed);
      const outcomes = (await Promise.all(events.map((event) => sessions.apply(id, event)))) as Session[];
      const last = (await sessions.find(id)) as Session;
      const ended = outcomes.filter(({ status }) => status === 'ended');
      expect(ended, `seed ${seed}`).toEqual(ended.map(() => last));
      const started = outcomes.flatMap(({ startedAt }) => startedAt ?? []);
      expect(started, `seed ${seed}`).toEqual(started.map(() => last.startedAt));
      expect(ends.filter((one) => one === id)).toHaveLength(last.status === 'ended' ? 1 : 0);
      const told = ['session.created'];
      if (last.startedAt !== null) told.push('session.started');
      if (last.endedAt !== null) told.push('session.ended');
      expect(await typesOf(id), `seed ${seed}`).toEqual(told);
    }
  });

  test('an end that fails half way leaves the session as it was, and tells nobody', async () => {
    const { id } = await create();
    const end = { type: 'ended', at: 2000, reason: 'completed' } as const;
    const failing = sessions.apply(id, end, async () => {
      throw new Error('no disk');
    });
    await expect(failing).rejects.toThrow('no disk');
    expect((await sessions.find(id))?.status).toBe('created');
    expect([ends, await typesOf(id)]).toEqual([[], ['session.created']]);
    expect((await sessions.apply(id, end))?.endedAt).toBe(2000);
  });
});
