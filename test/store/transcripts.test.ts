import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SessionId } from '../../src/ids.ts';
import type { Session } from '../../src/sessions/session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import type { Segment } from '../../src/sessions/transcript.ts';
import { Transcripts } from '../../src/sessions/transcripts.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { said } from '../sessions/said.ts';
import { type Backend, backends } from './backends.ts';
import { addEndpoint, addOrganization } from './rows.ts';

const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 };

/** Two nodes, each with a store of its own on one database. */
describe.each(backends)('transcripts on $name', ({ missing, start }) => {
  describe.skipIf(missing)('with two nodes', () => {
    let backend: Backend;
    let nodes: [Store, Store];
    let id: SessionId;

    beforeAll(async () => {
      backend = await start();
    });
    afterAll(() => backend?.close());
    beforeEach(async () => {
      const url = await backend.create();
      nodes = [await openStore(url, 1000), await openStore(url, 1000)];
      await addOrganization(nodes[0]);
      ({ id } = await create());
    });
    afterEach(async () => {
      await Promise.all(nodes.map((node) => node.close()));
    });

    const sessions = (node: Store = nodes[0]) => new Sessions(node, clock, 'example.com');
    const create = () =>
      sessions().create(
        {
          ...{ organizationId: 'acme', mode: 'bidirectional_translation' as const },
          ...{ sourceLanguage: 'en', targetLanguage: 'de', routing: null, metadata: null, aiAgent: null },
        },
        { provider: 'sip' },
      );
    const write = (finals: Segment[], { partials = [] as Segment[], dropped = 0, node = nodes[0] } = {}) =>
      new Transcripts(node, clock).write(id, { finals, partials, dropped });
    const complete = (node = nodes[0]) => new Transcripts(node, clock).complete(id);
    const read = async () =>
      new Transcripts(nodes[1], clock).read((await sessions(nodes[1]).find(id)) as Session);
    const end = () => sessions().apply(id, { type: 'ended', at: clock.now(), reason: 'completed' });
    const events = async () => {
      const rows = await nodes[0].db.selectFrom('events').selectAll().orderBy('sequence').execute();
      return rows.map(({ type, data }) => ({ type, ...JSON.parse(data) }));
    };

    test('keep what was said in order, whatever is in it', async () => {
      const awkward = `it's "so" \\ – 你好 😀 \0 \ud800 'x'; drop table transcripts; --`;
      const translation = { language: undefined, text: awkward };
      await write([said('one'), said(awkward, { speaker: 'agent', id: awkward, translation })]);
      await write([said('three'), said('again', { id: awkward })], { node: nodes[1] });
      const { turns, metadata, status } = await read();
      expect([status, metadata.total_turns]).toEqual(['in_progress', 3]);
      expect(turns.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
      const stored = awkward.replace('\0', '').replace('\ud800', '\ufffd');
      expect(turns[1]).toMatchObject({
        ...{ speaker: 'agent', language: 'de', text: stored, translation: { language: 'en', text: stored } },
      });
    });

    test('of a session without a word are empty, and completed once it has ended', async () => {
      expect(await read()).toMatchObject({ status: 'in_progress', turns: [], metadata: { total_turns: 0 } });
      await addEndpoint(nodes[0]);
      await end();
      await complete();
      expect(await read()).toMatchObject({ status: 'completed', turns: [] });
      expect((await events()).map(({ type }) => type)).toEqual(['session.ended']);
    });

    test('leave out a final that has come before, in the same batch, in another or on another node', async () => {
      const named = (name: string) => said(`text of ${name}`, { id: name });
      const outcomes = await Promise.all([
        write([named('a'), named('b'), named('a')]),
        write([named('b'), said('x'), said('x')], { node: nodes[1] }),
      ]);
      expect(outcomes.reduce((sum, { kept }) => sum + kept, 0)).toBe(4);
      expect(outcomes.map(({ dropped }) => dropped)).toEqual([0, 0]);
      expect(await write([named('a')])).toMatchObject({ kept: 0, dropped: 0 });
      const { turns } = await read();
      expect(turns.map(({ text }) => text).sort()).toEqual(['text of a', 'text of b', 'x', 'x']);
      expect(turns.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    });

    test('number the turns of both nodes one after the other', async () => {
      const batches = Array.from({ length: 20 }, (_, i) =>
        write([said(`${i} a`), said(`${i} b`)], { node: nodes[i % 2] as Store }),
      );
      await Promise.all(batches);
      const { turns } = await read();
      expect(turns.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
      for (let i = 0; i < 40; i += 2) expect(turns[i + 1]?.text).toBe(turns[i]?.text.replace(' a', ' b'));
    });

    test('of many turns are read whole', async () => {
      const finals = Array.from({ length: 1000 }, (_, i) => said(`${i + 1}`));
      await write(finals);
      await write([said('last')]);
      const { turns } = await read();
      expect(turns.map(({ text }) => text)).toEqual([...finals.map(({ text }) => text), 'last']);
    });

    test('tell of segments and of the whole where somebody asked for it, in order, once', async () => {
      expect(await write([said('unheard')])).toEqual({ kept: 1, dropped: 0, told: false });
      await addEndpoint(nodes[0]);
      const partial = said('Good mor', { final: false });
      expect(await write([], { partials: [partial] })).toEqual({ kept: 0, dropped: 0, told: true });
      const translation = { language: 'es', text: 'Buenos días.' };
      await write([said('Good morning.', { translation }), said('Aha.', { speaker: 'agent' })]);
      await complete();
      await end();
      await Promise.all([complete(), complete(nodes[1]), complete()]);
      const told = await events();
      expect(told).toEqual([
        expect.objectContaining({ type: 'transcript.segment', final: false, text: 'Good mor' }),
        {
          ...{ type: 'transcript.segment', session_id: id, final: true, sequence: 2, speaker: 'customer' },
          ...{ language: 'en', text: 'Good morning.', translation, timestamp: '2027-01-15T08:00:00.000Z' },
        },
        expect.objectContaining({ sequence: 3, speaker: 'agent', text: 'Aha.' }),
        expect.objectContaining({ type: 'session.ended' }),
        {
          ...{ type: 'transcript.ready', id: id.replace('sess_', 'trn_'), object: 'transcript' },
          ...{ session_id: id, status: 'completed' },
          metadata: { total_turns: 3, duration_seconds: 0, languages_detected: ['en', 'de'] },
        },
      ]);
      const deliveries = await nodes[0].db
        .selectFrom('deliveries')
        .innerJoin('events', 'events.id', 'deliveries.event_id')
        .select(['events.sequence', 'deliveries.sequence as delivered'])
        .execute();
      expect(deliveries).toHaveLength(5);
      expect(deliveries.every(({ sequence, delivered }) => sequence === delivered)).toBe(true);
      expect((await read()).status).toBe('completed');
    });

    test('keep a final that comes after all is told', async () => {
      await write([said('in time')]);
      await end();
      expect((await read()).status).toBe('in_progress');
      await complete();
      expect(await write([said('late')])).toMatchObject({ kept: 1 });
      expect(await read()).toMatchObject({ status: 'completed', metadata: { total_turns: 2 } });
    });

    test('count what had no room, and what was lost on the way', async () => {
      await write([said('one')], { dropped: 2 });
      await nodes[0].db.updateTable('transcripts').set({ turns: 10_000 }).execute();
      expect(await write([said('more')])).toMatchObject({ kept: 0, dropped: 1 });
      expect((await read()).metadata).toMatchObject({ total_turns: 1, dropped_turns: 3 });
    });

    test('write turn and event together or neither', async () => {
      await addEndpoint(nodes[0]);
      const clash = {
        ...said('clash'),
        get at(): number {
          throw new Error('stop here');
        },
      };
      await expect(write([said('kept?'), clash])).rejects.toThrow('stop here');
      expect([(await read()).turns, await events()]).toEqual([[], []]);
    });

    test('delete what is old, with its turns', async () => {
      await write([said('old')]);
      await end();
      await complete();
      const transcripts = new Transcripts(nodes[0], clock);
      expect(await transcripts.deleteOld(clock.now())).toBe(0);
      expect(await transcripts.deleteOld(clock.now() + 1)).toBe(1);
      expect(await nodes[0].db.selectFrom('transcript_turns').selectAll().execute()).toEqual([]);
      expect(await read()).toMatchObject({ status: 'completed', turns: [] });
    });
  });
});
