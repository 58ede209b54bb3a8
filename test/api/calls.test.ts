import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EndReason } from '../../src/errors.ts';
import type { LegId, SessionId } from '../../src/ids.ts';
import type { Role } from '../../src/roles.ts';
import type { OpenCallRecord } from '../../src/telemetry/call-record.ts';
import { someCallDetails } from '../support/fake-rooms.ts';
import { type ApiFixture, openApi } from './api-fixture.ts';

class FakeLeg {
  readonly id: LegId;
  readonly role: Role;
  readonly session: SessionId;
  ends: EndReason[] = [];

  constructor(session: SessionId, role: Role) {
    this.session = session;
    this.role = role;
    this.id = `leg_${role}`;
  }

  end(reason: EndReason): void {
    this.ends.push(reason);
  }

  get state() {
    return this.ends.length > 0 ? ('ended' as const) : ('up' as const);
  }

  press(): 'rtp' {
    return 'rtp';
  }

  hangUp(): void {
    this.end('hangup');
  }

  record(): OpenCallRecord {
    const ended = this.ends[0];
    return {
      leg_id: this.id,
      session_id: this.session,
      organization_id: 'acme',
      role: this.role,
      direction: 'inbound',
      sip_status: null,
      provider: 'sip',
      sip_call_id: 'call-1',
      carrier_call_id: null,
      from_uri: 'sip:a@example.com',
      to_uri: 'sip:b@example.com',
      source_address: '192.0.2.1',
      transport: 'udp',
      codec: 'PCMU',
      srtp: 'AES_CM_128_HMAC_SHA1_80',
      started_at: 1000,
      answered_at: 1100,
      ended_at: ended ? 3600 : null,
      reason: ended ?? null,
      setup_ms: 100,
      duration_seconds: 2.5,
      packets_received: 125,
      packets_sent: 124,
      packets_lost: 1,
      packets_late: 0,
      packets_dropped: 0,
      dtmf_received: 3,
      dtmf_sent: 2,
      jitter_ms: 0.5,
      round_trip_ms: 30.5,
      peer_packets_lost: 3,
      peer_jitter_ms: 1.5,
      mos: 4.2,
      jitter_target_ms: 40,
      ...{ to_pipeline_p50_ms: 1.5, to_pipeline_p95_ms: 3.5, to_pipeline_p99_ms: 4 },
      ...{ from_pipeline_p50_ms: null, from_pipeline_p95_ms: null, from_pipeline_p99_ms: null },
      ...someCallDetails,
    };
  }
}

describe('the calls of a session', () => {
  let api: ApiFixture;
  let legs: FakeLeg[] = [];
  let id: SessionId;

  beforeAll(async () => {
    api = await openApi({
      legsOf: (session) => legs.filter((leg) => leg.session === session && leg.ends.length === 0),
    });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    id = (await api.create()).json().id;
    legs = [new FakeLeg(id, 'customer'), new FakeLeg(id, 'agent')];
  });

  const hangUp = (body?: unknown) => api.request('POST', `/v1/sessions/${id}/hangup`, { body });
  const rolesIn = (answer: { json(): { data: { role: string }[] } }) =>
    answer.json().data.map(({ role }) => role);

  test.each([
    [undefined, ['customer', 'agent']],
    [{}, ['customer', 'agent']],
    [{ role: 'agent' }, ['agent']],
    [{ leg_id: 'leg_customer' }, ['customer']],
  ])('end by a hang-up of %j', async (body, ended) => {
    const answer = await hangUp(body);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      object: 'list',
      has_more: false,
      url: `/v1/sessions/${id}/hangup`,
    });
    expect(rolesIn(answer)).toEqual(ended);
    for (const leg of legs) expect(leg.ends).toEqual(ended.includes(leg.role) ? ['hangup'] : []);
    for (const call of answer.json().data) expect(call).toMatchObject({ status: 'ended', reason: 'hangup' });
  });

  test('hung up again are none', async () => {
    await hangUp();
    expect(rolesIn(await hangUp())).toEqual([]);
    expect(rolesIn(await hangUp({ role: 'agent' }))).toEqual([]);
  });

  test.each([
    [{ leg_id: 'leg_nobody' }, 404, 'leg_not_found'],
    [{ leg_id: 'leg_agent', role: 'agent' }, 422, 'invalid_request'],
    [{ role: 'boss' }, 422, 'invalid_request'],
    [{ leg_id: 7 }, 422, 'invalid_request'],
    [[], 422, 'invalid_request'],
  ])('are left alone by a hang-up of %j', async (body, status, code) => {
    const answer = await hangUp(body);
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
    expect(legs.flatMap((leg) => leg.ends)).toEqual([]);
  });

  test('of an ended session cannot be hung up', async () => {
    await api.request('POST', `/v1/sessions/${id}/end`);
    const answer = await hangUp();
    expect([answer.statusCode, answer.json().error.code]).toEqual([409, 'session_ended']);
  });

  test('are listed, those that ended by their records and those that are up by their numbers of now', async () => {
    const [customer, agent] = legs as [FakeLeg, FakeLeg];
    const { from, to, transport, ...leg } = {
      ...{ id: customer.id, sessionId: id, organizationId: 'acme', role: customer.role },
      ...{ provider: 'sip' as const, callId: 'call-1', carrierCallId: null },
      ...{ from: 'sip:a@example.com', to: 'sip:b@example.com', sourceAddress: '192.0.2.1' },
      ...{ transport: 'udp', codec: 'PCMU', srtp: null, headers: {}, direction: 'inbound' as const },
    };
    customer.end('hangup');
    const record = { ...customer.record(), ended_at: 3600, reason: 'hangup' as const };
    await api.sessions.record(record, { ...leg, from, to, transport }, 'active');
    const answer = await api.request('GET', `/v1/sessions/${id}/calls`);
    expect(answer.json()).toMatchObject({ object: 'list', has_more: false, url: `/v1/sessions/${id}/calls` });
    const [ended, up] = answer.json().data;
    expect(ended).toEqual({
      id: 'leg_customer',
      object: 'call',
      session_id: id,
      status: 'ended',
      role: 'customer',
      direction: 'inbound',
      progress: null,
      sip_status: null,
      provider: 'sip',
      sip_call_id: 'call-1',
      carrier_call_id: null,
      from,
      to,
      source_address: '192.0.2.1',
      transport,
      user_agent: 'TestPhone/1.0',
      codec: 'PCMU',
      srtp: 'AES_CM_128_HMAC_SHA1_80',
      started_at: '1970-01-01T00:00:01.000Z',
      ringing_at: null,
      answered_at: '1970-01-01T00:00:01.100Z',
      acknowledged_at: '2027-01-15T08:00:00.200Z',
      first_audio_in_at: '2027-01-15T08:00:00.220Z',
      first_audio_out_at: '2027-01-15T08:00:00.210Z',
      ended_at: '1970-01-01T00:00:03.600Z',
      reason: 'hangup',
      cause: 16,
      setup_ms: 100,
      duration_seconds: 2.5,
      hold: { count: 1, seconds: 2.5 },
      dtmf: { received: 3, sent: 2 },
      quality: {
        packets_received: 125,
        packets_sent: 124,
        packets_lost: 1,
        packets_late: 0,
        packets_dropped: 0,
        jitter_ms: 0.5,
        concealed_ms: 40,
        rtp_source: '192.0.2.1:11000',
        round_trip_ms: 30.5,
        peer_packets_lost: 3,
        peer_jitter_ms: 1.5,
        mos: 4.2,
        jitter_target_ms: 40,
        to_pipeline_ms: { p50: 1.5, p95: 3.5, p99: 4 },
        from_pipeline_ms: null,
      },
      link: {
        ...{ reconnects: 1, resent_ms: 300, lost_ms: 20, dropped_ms: 10, trimmed_ms: 5 },
        untranslated_seconds: 1.25,
      },
    });
    expect(up).toMatchObject({ id: agent.id, status: 'up', ended_at: null, reason: null });
  });
});
