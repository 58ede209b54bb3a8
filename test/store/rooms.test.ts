import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import type { LegId, SessionId } from '../../src/ids.ts';
import { Sealer } from '../../src/sealing.ts';
import type { LegFacts } from '../../src/sessions/leg-view.ts';
import { fromDefaults } from '../../src/sessions/new-session.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { OpenCallRecord } from '../../src/telemetry/call-record.ts';
import { findApiCaller } from '../../src/telephony/api-keys.ts';
import { importOrganizations } from '../../src/telephony/configured-organizations.ts';
import { OutboundTrunks } from '../../src/telephony/outbound-trunks.ts';
import { Registrations } from '../../src/telephony/registrations.ts';
import { Trunks } from '../../src/telephony/trunks.ts';
import { someCallDetails } from '../support/fake-rooms.ts';
import { type Backend, backends } from './backends.ts';
import { addEndpoint } from './rows.ts';

const KEY = 'sk_test_acme_0123456789';
const { organizations } = parseConfig({
  organizations: [
    {
      id: 'acme',
      name: 'Acme',
      api_keys: [KEY],
      sip: { username: 'acme', password: 'acme-password', allowed_ips: ['192.0.2.1'] },
    },
  ],
});
const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 };

/** Two nodes, each with a store of its own on one database. */
describe.each(backends)('the rooms on $name', ({ missing, start }) => {
  describe.skipIf(missing)('with two nodes', () => {
    let backend: Backend;
    let nodes: [Store, Store];

    beforeAll(async () => {
      backend = await start();
    });
    afterAll(() => backend?.close());
    beforeEach(async () => {
      const url = await backend.create();
      nodes = [await openStore(url, 1000), await openStore(url, 1000)];
      await Promise.all(nodes.map((node) => importOrganizations(node, organizations, 'example.com')));
    });
    afterEach(async () => {
      await Promise.all(nodes.map((node) => node.close()));
    });

    const sessions = (node: Store) => new Sessions(node, clock, 'example.com');
    const create = () =>
      sessions(nodes[0]).create(
        {
          ...{ organizationId: 'acme', mode: 'bidirectional_translation' as const },
          ...{ sourceLanguage: 'en', targetLanguage: null, routing: { type: 'sip' } },
          ...{ metadata: { note: `it's "quoted"` }, aiAgent: null },
        },
        { provider: 'sip' },
      );
    const events = async () => {
      const rows = await nodes[0].db
        .selectFrom('events')
        .innerJoin('deliveries', 'deliveries.event_id', 'events.id')
        .select(['events.type', 'events.sequence', 'deliveries.sequence as delivered'])
        .orderBy('events.sequence')
        .execute();
      expect(rows.every((row) => row.sequence === row.delivered)).toBe(true);
      return rows.map((row) => row.type);
    };

    test('bring in the same organizations, keys and trunks once', async () => {
      expect(await findApiCaller(nodes[1], KEY)).toMatchObject({ organizationId: 'acme', active: true });
      const trunks = new Trunks(nodes[1]);
      await trunks.reload();
      expect(trunks.ofUsername('acme')).toMatchObject({ organizationId: 'acme', requireDigest: false });
      expect(await nodes[0].db.selectFrom('api_keys').selectAll().execute()).toHaveLength(1);
    });

    test('read a session as it was made', async () => {
      const made = await create();
      expect(await sessions(nodes[1]).find(made.id)).toEqual(made);
    });

    test('give a call of a carrier one session, whichever node is told of it, and however often', async () => {
      await addEndpoint(nodes[0]);
      const told = (node: Store, callId: string, provider: 'twilio' | 'telnyx' = 'twilio') =>
        sessions(node).ofCarrierCall(fromDefaults('acme', {}, null), { provider }, callId);
      const same = await Promise.all([0, 1, 0, 1, 0, 1].map((node) => told(nodes[node] as Store, 'CA1')));
      expect(new Set(same.map(({ id }) => id)).size).toBe(1);
      const others = [await told(nodes[1], 'CA2'), await told(nodes[0], 'CA1', 'telnyx')];
      expect(new Set([...same, ...others].map(({ id }) => id)).size).toBe(3);
      expect(await events()).toEqual(['session.created', 'session.created', 'session.created']);
    });

    test('keep the outbound settings of an organization, one whole change after the other', async () => {
      await nodes[0].db.updateTable('organizations').set({ managed_by: 'api' }).execute();
      const trunks = nodes.map((store) => new OutboundTrunks({ store, sealer: new Sealer('a key') }));
      const settings = { enabled: true, transport: 'udp' as const, allowed_numbers: [], allowed_domains: [] };
      await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          trunks[i % 2]?.replace('acme', {
            ...settings,
            host: `h${i}`,
            username: `u${i}`,
            password: `p${i}`,
          }),
        ),
      );
      const { trunk } = (await trunks[0]?.policyOf('acme')) ?? {};
      const number = trunk?.host.slice(1);
      expect(trunk?.credentials).toEqual({ username: `u${number}`, password: `p${number}` });
    });

    test('end a session once, however many ask for it at once', async () => {
      await addEndpoint(nodes[0]);
      const { id } = await create();
      const end = (node: Store, at: number) =>
        sessions(node).apply(id, { type: 'ended', at, reason: 'completed' });
      const ends = await Promise.all(Array.from({ length: 20 }, (_, i) => end(nodes[i % 2] as Store, i)));
      expect(new Set(ends.map((session) => session?.endedAt)).size).toBe(1);
      expect(await events()).toEqual(['session.created', 'session.ended']);
    });

    test('write the events of a session in the order in which they are committed', async () => {
      await addEndpoint(nodes[0]);
      const made = await Promise.all(Array.from({ length: 10 }, create));
      await Promise.all(
        made.map(({ id }, i) =>
          sessions(nodes[i % 2] as Store).connected(leg(id, `leg_a${i}`), open(id, `leg_a${i}`), i, 'active'),
        ),
      );
      await Promise.all(
        made.flatMap(({ id }, i) => [
          sessions(nodes[0]).apply(id, { type: 'started', at: 1 }),
          sessions(nodes[1]).connected(leg(id, `leg_b${i}`), open(id, `leg_b${i}`), 2, 'active'),
        ]),
      );
      expect((await events()).filter((type) => type === 'session.started')).toHaveLength(10);
    });

    test('keep the record of a leg, with its numbers', async () => {
      const { id } = await create();
      const record = {
        ...{ leg_id: 'leg_1' as LegId, session_id: id, organization_id: 'acme', role: 'customer' as const },
        ...{ provider: 'sip' as const, carrier_call_id: null },
        ...{ sip_call_id: 'c', from_uri: 'sip:a@b', to_uri: 'sip:c@d', source_address: '192.0.2.1' },
        ...{
          transport: 'udp',
          codec: 'PCMU',
          srtp: 'AEAD_AES_256_GCM',
          started_at: 1_800_000_000_000,
          answered_at: null,
        },
        ...{ direction: 'outbound' as const, sip_status: 486 },
        ...{ ended_at: 1_800_000_009_500, reason: 'canceled' as const, setup_ms: null },
        ...{ duration_seconds: 9.5, packets_received: 5_000_000_000, packets_sent: 1, packets_lost: 2 },
        ...{ packets_late: 3, packets_dropped: 4, jitter_ms: 0.125 },
        ...{ round_trip_ms: 30.5, peer_packets_lost: 3, peer_jitter_ms: 1.5, mos: 4.2, jitter_target_ms: 40 },
        ...{ to_pipeline_p50_ms: 1.5, to_pipeline_p95_ms: 3.5, to_pipeline_p99_ms: 4 },
        ...{ from_pipeline_p50_ms: 10, from_pipeline_p95_ms: 20, from_pipeline_p99_ms: null },
        ...{ dtmf_received: 4, dtmf_sent: 2, ...someCallDetails },
      };
      await sessions(nodes[0]).record(record, leg(id), null);
      expect(await sessions(nodes[1]).calls(id)).toEqual([record]);
      await sessions(nodes[1]).markAlive([id]);
      await expect(sessions(nodes[0]).unusedSince(clock.now() + 1, clock.now() + 1)).resolves.toEqual([id]);
    });

    test('show on any node whether a session is translated, and tell of nothing after its end', async () => {
      await addEndpoint(nodes[0]);
      const made = await create();
      const { id } = made;
      const shown = async () => (await sessions(nodes[1]).find(id))?.translation;
      const outage = { since: 2000, reason: 'pipeline_lost' as const, detail: 'reset' };
      expect(await shown()).toBeNull();
      await sessions(nodes[0]).connected(leg(id, 'leg_a'), open(id, 'leg_a'), 1000, 'active');
      expect(await shown()).toBe('active');
      await sessions(nodes[0]).degraded(made, outage, 3000);
      expect(await shown()).toBe('degraded');
      await sessions(nodes[0]).recovered(made, 2000, 4500, 'active');
      expect(await shown()).toBe('active');
      const record = { ...open(id, 'leg_a'), answered_at: 1000, ended_at: 5000, reason: 'hangup' as const };
      await sessions(nodes[0]).record(record, leg(id, 'leg_a'), null);
      expect(await shown()).toBeNull();

      await sessions(nodes[0]).connected(leg(id, 'leg_b'), open(id, 'leg_b'), 5500, 'active');
      await sessions(nodes[1]).apply(id, { type: 'ended', at: 6000, reason: 'completed' });
      await sessions(nodes[0]).degraded(made, outage, 7000);
      expect(await shown()).toBeNull();
      expect(await events()).toEqual([
        ...['session.created', 'session.provider.connected', 'session.degraded', 'session.recovered'],
        ...['session.provider.disconnected', 'session.provider.connected', 'session.ended'],
      ]);
      const told = await nodes[1].db
        .selectFrom('events')
        .select('data')
        .where('type', 'in', ['session.degraded', 'session.recovered'])
        .orderBy('sequence')
        .execute();
      const since = new Date(2000).toISOString();
      expect(told.map(({ data }) => JSON.parse(data))).toEqual([
        { session_id: id, reason: 'pipeline_lost', detail: 'reset', since },
        { session_id: id, since, recovered_at: new Date(4500).toISOString(), outage_seconds: 2.5 },
      ]);
    });

    test('show no translation of a session whose process died', async () => {
      const { id } = await create();
      await sessions(nodes[0]).connected(leg(id, 'leg_a'), open(id, 'leg_a'), 1000, 'active');
      await sessions(nodes[1]).closeLegsLeftBehind(id, 2000);
      expect((await sessions(nodes[1]).find(id))?.translation).toBeNull();
    });

    test('write what a process that died owed of its legs, before the end of their session', async () => {
      await addEndpoint(nodes[0]);
      const { id } = await create();
      await sessions(nodes[0]).apply(id, { type: 'started', at: 1000 });
      await sessions(nodes[0]).connected(
        leg(id, 'leg_left'),
        { ...open(id, 'leg_left'), answered_at: 1000 },
        1000,
        'active',
      );
      await sessions(nodes[1]).endLeftBehind(id, 5000, 'completed');
      expect((await events()).slice(-2)).toEqual(['session.provider.disconnected', 'session.ended']);
      const [record] = await sessions(nodes[1]).calls(id);
      expect(record).toMatchObject({
        leg_id: 'leg_left',
        reason: 'error',
        ended_at: 5000,
        duration_seconds: 4,
      });
      await sessions(nodes[0]).endLeftBehind(id, 6000, 'completed');
      expect(await sessions(nodes[0]).calls(id)).toHaveLength(1);
    });

    test('put right the record of a leg whose node was taken for dead, and tell of its end once', async () => {
      await addEndpoint(nodes[0]);
      const { id } = await create();
      const begun = { ...open(id, 'leg_a'), answered_at: 1000 };
      await sessions(nodes[0]).connected(leg(id, 'leg_a'), begun, 1000, 'active');
      await sessions(nodes[1]).endLeftBehind(id, 2000, 'completed');
      const record = { ...begun, ended_at: 9000, reason: 'hangup' as const, duration_seconds: 8 };
      await sessions(nodes[0]).record(record, leg(id, 'leg_a'), null);
      expect(await sessions(nodes[1]).calls(id)).toEqual([record]);
      await sessions(nodes[1]).closeLegsLeftBehind(id, 9500);
      expect(await sessions(nodes[1]).calls(id)).toEqual([record]);
      expect((await events()).slice(-2)).toEqual(['session.provider.disconnected', 'session.ended']);
    });

    test('write down a dial, what it comes to, and what is owed of one whose process died, once', async () => {
      await addEndpoint(nodes[0]);
      const { id } = await create();
      const outbound = { direction: 'outbound' as const };
      const [kept, left] = ['leg_kept', 'leg_left'].map((name) => ({
        facts: { ...leg(id, name), ...outbound },
        record: { ...open(id, name), ...outbound, answered_at: null, setup_ms: null },
      })) as [{ facts: LegFacts; record: OpenCallRecord }, { facts: LegFacts; record: OpenCallRecord }];
      for (const { facts, record } of [kept, left]) await sessions(nodes[0]).dialing(facts, record);
      await sessions(nodes[0]).ringing(kept.facts, { ...kept.record, sip_status: 180 }, 2);
      const ended = { ...kept.record, ended_at: 3, reason: 'dial_failed' as const, sip_status: 486 };
      await sessions(nodes[0]).record(ended, kept.facts, null);
      const found = await sessions(nodes[1]).withLegsLeftBehind(clock.now());
      expect(found).toEqual([{ id, lastAliveAt: 1 }]);
      await Promise.all(nodes.map((node) => sessions(node).closeLegsLeftBehind(id, 4)));
      expect(await sessions(nodes[1]).calls(id)).toMatchObject([
        { leg_id: 'leg_kept', reason: 'dial_failed', sip_status: 486, direction: 'outbound' },
        { leg_id: 'leg_left', reason: 'error', sip_status: null, direction: 'outbound', ended_at: 4 },
      ]);
      expect(await events()).toEqual([
        'session.created',
        'session.dial.ringing',
        'session.dial.failed',
        'session.dial.failed',
      ]);
      await sessions(nodes[1]).apply(id, { type: 'ended', at: 5, reason: 'completed' });
      await expect(sessions(nodes[0]).dialing(left.facts, left.record)).rejects.toMatchObject({
        code: 'session_ended',
      });
    });

    test('register the same address of record one after the other', async () => {
      const register = (node: Store, contact: string) =>
        new Registrations(node, clock.now).update(
          { organizationId: 'acme', aor: 'sip:acme@example.com', sourceAddress: '192.0.2.1' },
          (current) => [...current, { contact, expiresAt: clock.now() + 60_000 }],
        );
      const contacts = Array.from({ length: 12 }, (_, i) => `sip:acme@192.0.2.${i}`);
      await Promise.all(contacts.map((contact, i) => register(nodes[i % 2] as Store, contact)));
      const rows = await nodes[0].db.selectFrom('registrations').select('contact').execute();
      expect(rows.map((row) => row.contact).sort()).toEqual([...contacts].sort());
    });
  });
});

const leg = (sessionId: SessionId, id = 'leg_1'): LegFacts => ({
  ...{ id: id as LegId, sessionId, organizationId: 'acme', role: 'customer', callId: 'c' },
  ...{ provider: 'sip' as const, carrierCallId: null },
  direction: 'inbound',
  ...{
    from: 'sip:a@b',
    to: 'sip:c@d',
    sourceAddress: '192.0.2.1',
    transport: 'udp',
    codec: 'PCMU',
    srtp: null,
  },
  headers: {},
});

const open = (sessionId: SessionId, id: string): OpenCallRecord => ({
  ...{ leg_id: id as LegId, session_id: sessionId, organization_id: 'acme', role: 'customer' },
  ...{ direction: 'inbound', sip_status: null },
  ...{ provider: 'sip' as const, carrier_call_id: null },
  ...{ sip_call_id: 'c', from_uri: 'sip:a@b', to_uri: 'sip:c@d', source_address: '192.0.2.1' },
  ...{
    transport: 'udp',
    codec: 'PCMU',
    srtp: null,
    started_at: 1,
    answered_at: 2,
    ended_at: null,
    reason: null,
    setup_ms: 1,
  },
  ...{ duration_seconds: 0, packets_received: 0, packets_sent: 0, packets_lost: 0, packets_late: 0 },
  ...{ packets_dropped: 0, jitter_ms: 0, round_trip_ms: null },
  ...{ peer_packets_lost: 0, peer_jitter_ms: 0, mos: null, jitter_target_ms: 60 },
  ...{ to_pipeline_p50_ms: null, to_pipeline_p95_ms: null, to_pipeline_p99_ms: null },
  ...{ from_pipeline_p50_ms: null, from_pipeline_p95_ms: null, from_pipeline_p99_ms: null },
  ...{ dtmf_received: 0, dtmf_sent: 0, ...someCallDetails },
});
