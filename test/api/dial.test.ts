import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acme, other } from './api-fixture.ts';
import { type DialApi, openDialApi } from './dial-fixture.ts';

const agent = 'sip:agent@pbx.example.com';

describe('POST /v1/sessions/{id}/dial', () => {
  let api: DialApi;
  let id: string;
  beforeEach(async () => {
    api = await openDialApi();
    id = (await api.create()).json().id;
  });
  afterEach(() => api.close());

  const withKey = (key: string) => ({ ...acme, 'idempotency-key': key });
  const openLegs = () => api.store.db.selectFrom('open_legs').selectAll().execute();

  test('answers 202 with the leg, which is written down before anybody is called', async () => {
    const answer = await api.dial(id, { to: agent });
    expect(answer.statusCode).toBe(202);
    const leg = answer.json();
    expect(leg).toMatchObject({
      ...{ object: 'call', session_id: id, status: 'setting_up', progress: 'dialing', role: 'customer' },
      ...{ direction: 'outbound', from: 'sip:+14155550100@sip.kallglot.com', to: agent, sip_status: null },
    });
    expect(await openLegs()).toMatchObject([{ leg_id: leg.id, session_id: id }]);
    const { leg: placed } = await api.placed(1);
    expect([placed.id, placed.facts.callId]).toEqual([leg.id, leg.sip_call_id]);
  });

  test('gives the call what it needs', async () => {
    const body = {
      ...{ to: '+49 30 1234567', role: 'agent', ring_seconds: 30, headers: { 'x-Ticket': '7' } },
      caller_id: { number: '030123', name: 'Acme' },
    };
    await api.dial(id, body);
    const { leg, call } = await api.placed(1);
    expect(leg.role).toBe('agent');
    expect(call).toEqual({
      ...{ uri: 'sip:+49301234567@carrier.example', to: 'sip:+49301234567@carrier.example' },
      from: { uri: 'sip:030123@carrier.example', name: 'Acme' },
      ...{ assertsCaller: true, credentials: null, headers: { 'X-Ticket': '7' }, family: 4, srtp: 'off' },
      ...{ keys: null, ringSeconds: 30, mediaTimeoutSeconds: null, codecs: null },
    });
  });

  test('that waits answers 200 when the call is up', async () => {
    const waiting = api.dial(id, { to: agent, wait: true });
    const call = await api.placed(1);
    call.ring();
    call.answer();
    const answer = await waiting;
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      expect.objectContaining({ status: 'up', sip_status: 200, answered_at: expect.any(String) }),
    ]);
  });

  test('that waits answers 502 with the SIP status when it is not', async () => {
    const waiting = api.dial(id, { to: agent, wait: true });
    (await api.placed(1)).fail(486);
    const answer = await waiting;
    const [record] = await api.callsOf(id);
    expect([answer.statusCode, answer.json().error]).toEqual([
      502,
      {
        ...{ type: 'api_error', code: 'dial_failed', message: 'The call was not answered: SIP status 486.' },
        ...{ request_id: expect.any(String), leg_id: record.id, reason: 'dial_failed', sip_status: 486 },
      },
    ]);
    expect(record).toMatchObject({ status: 'ended', progress: null, reason: 'dial_failed', sip_status: 486 });
    expect(await openLegs()).toEqual([]);
  });

  test('that waits is told what ended it: a hang-up, the end of the session', async () => {
    for (const [path, reason] of [
      ['hangup', 'canceled'],
      ['end', 'session_ended'],
    ] as const) {
      const waiting = api.dial(id, { to: agent, wait: true });
      await api.placed(api.calls.length + 1);
      await api.request('POST', `/v1/sessions/${id}/${path}`, { body: {} });
      const { error } = (await waiting).json();
      expect(error).toMatchObject({ code: 'dial_failed', reason, sip_status: null });
      expect(error.message).toContain(reason);
    }
  });

  test.each([
    [{}, 'to'],
    [{ to: 'nobody' }, 'to'],
    [{ to: 'sip:a b@pbx.example.com' }, 'to'],
    [{ to: agent, role: 'boss' }, 'role'],
    [{ to: agent, ring_seconds: 4 }, 'ring_seconds'],
    [{ to: agent, ring_seconds: 121 }, 'ring_seconds'],
    [{ to: agent, wait: 'yes' }, 'wait'],
    [{ to: agent, send_digits: '12x' }, 'send_digits'],
    [{ to: agent, send_digits: ',w' }, 'send_digits'],
    [{ to: agent, send_digits: '1'.repeat(65) }, 'send_digits'],
    [{ to: agent, caller_id: 'sip:a@b>\r\nX: y' }, 'caller_id'],
    [{ to: agent, caller_id: { number: '1', name: 'a\r\nb' } }, 'caller_id'],
    [{ to: agent, headers: { From: 'x' } }, 'headers'],
    [{ to: agent, headers: { 'X-Kallglot-Role': 'x' } }, 'headers'],
    [{ to: agent, headers: { 'X-A': 'a\r\nb' } }, 'headers.X-A'],
    [
      { to: agent, headers: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`X-${i}`, ''])) },
      'headers',
    ],
  ])('refuses %o', async (body, param) => {
    const answer = await api.dial(id, body);
    expect([answer.statusCode, answer.json().error.code]).toEqual([422, 'invalid_request']);
    expect(answer.json().error.param).toMatch(new RegExp(`^${param}`));
    expect(api.bridges.calls).toBe(0);
  });

  test('goes over TLS alone where the organization requires SRTP', async () => {
    await api.changeTrunk({ sip_srtp: 'required' });
    const answer = await api.dial(id, { to: agent });
    expect([answer.statusCode, answer.json().error]).toEqual([
      422,
      expect.objectContaining({ code: 'srtp_needs_tls', param: 'to' }),
    ]);
    expect(api.bridges.calls).toBe(0);
    expect((await api.dial(id, { to: `${agent};transport=tls` })).statusCode).toBe(202);
    expect((await api.placed(1)).call.srtp).toBe('required');
  });

  test('counts the headers of the session and of the dial together', async () => {
    const some = (from: number) =>
      Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`X-${from + i}`, '']));
    const routing = { type: 'sip', sip: { headers: some(0) } };
    const { id: full } = (await api.create({ mode: 'ai_agent', routing })).json();
    expect((await api.dial(full, { to: agent, headers: some(8) })).statusCode).toBe(202);
    const another = (await api.create({ mode: 'ai_agent', routing })).json().id;
    expect((await api.dial(another, { to: agent, headers: some(9) })).json().error.param).toBe('headers');
  });

  test('is for sessions of one’s own that are routed to SIP and have not ended', async () => {
    const webrtc = (await api.create({ mode: 'ai_agent', routing: { type: 'webrtc' } })).json().id;
    const refused = async (session: string, headers?: Record<string, string>) => {
      const answer = await api.dial(session, { to: agent }, headers);
      return [answer.statusCode, answer.json().error.code];
    };
    expect(await refused(webrtc)).toEqual([409, 'session_not_sip']);
    expect(await refused(id, other)).toEqual([404, 'session_not_found']);
    await api.request('POST', `/v1/sessions/${id}/end`);
    expect(await refused(id)).toEqual([409, 'session_ended']);
  });

  test('takes the first role that is free, and none that is taken or that the mode does not have', async () => {
    const roleOf = async (session: string, body: object) => {
      const answer = await api.dial(session, { to: agent, ...body });
      return answer.json().role ?? [answer.statusCode, answer.json().error.code, answer.json().error.param];
    };
    expect(await roleOf(id, {})).toBe('customer');
    expect(await roleOf(id, { role: 'customer' })).toEqual([409, 'role_taken', 'role']);
    expect(await roleOf(id, {})).toBe('agent');
    expect(await roleOf(id, {})).toEqual([409, 'role_taken', 'role']);
    const oneLeg = (await api.create({ mode: 'ai_agent', routing: { type: 'sip' } })).json().id;
    expect(await roleOf(oneLeg, { role: 'agent' })).toEqual([409, 'role_taken', 'role']);
    expect(await roleOf(oneLeg, {})).toBe('customer');
  });

  test('keeps to the limits of the organization and of the node', async () => {
    await api.store.db.updateTable('organizations').set({ sip_concurrency_limit: 1 }).execute();
    await api.close();
    api = await openDialApi({ most: 2 });
    const sessions = await Promise.all(Array.from({ length: 4 }, async () => (await api.create()).json().id));
    for (const session of sessions.slice(0, 2))
      expect((await api.dial(session, { to: agent })).statusCode).toBe(202);
    const full = await api.dial(sessions[2], { to: agent });
    expect([full.statusCode, full.json().error.code, full.headers['retry-after']]).toEqual([
      503,
      'overloaded',
      '10',
    ]);
    (await api.placed(1)).fail(486);
    (await api.placed(2)).answer();
    expect((await api.dial(sessions[2], { to: agent })).statusCode).toBe(202);
    api.bridges.hangUp();
    expect((await api.dial(sessions[3], { to: agent })).json().error.code).toBe('draining');
  });

  test('without an engine calls nobody', async () => {
    api.engine.engineIsUp = false;
    const answer = await api.dial(id, { to: agent });
    expect([answer.statusCode, answer.json().error.code]).toEqual([503, 'engine_unavailable']);
    expect(await openLegs()).toEqual([]);
  });

  test('that cannot be written down calls nobody, and gives the role back', async () => {
    await api.store.db
      .updateTable('sessions')
      .set({ status: 'ended' })
      .where('id', '=', id as 'sess_')
      .execute();
    const found = api.sessions.ofOrganization.bind(api.sessions);
    api.sessions.ofOrganization = async (...args) => ({ ...(await found(...args)), status: 'created' });
    const answer = await api.dial(id, { to: agent });
    expect([answer.statusCode, answer.json().error.code]).toEqual([409, 'session_ended']);
    expect([api.calls.length, api.bridges.calls, api.bridges.size]).toEqual([0, 0, 0]);
    expect([await openLegs(), await api.callsOf(id)]).toEqual([[], []]);
  });

  describe('with an Idempotency-Key', () => {
    test('calls once, and repeats the 202 byte by byte', async () => {
      const first = await api.dial(id, { to: agent }, withKey('k'));
      (await api.placed(1)).fail(486);
      const again = await api.dial(id, { to: agent }, withKey('k'));
      expect([again.statusCode, again.body]).toEqual([202, first.body]);
      expect(api.calls).toHaveLength(1);
      expect((await api.dial(id, { to: '+4930123456' }, withKey('k'))).json().error.code).toBe(
        'idempotency_mismatch',
      );
    });

    test('that waits is a conflict until the outcome is there, which is repeated when it is an answer', async () => {
      const waiting = api.dial(id, { to: agent, wait: true, ring_seconds: 120 }, withKey('k'));
      const call = await api.placed(1);
      api.state.skewMs = 125_000;
      const early = await api.dial(id, { to: agent, wait: true, ring_seconds: 120 }, withKey('k'));
      expect([early.statusCode, early.json().error.code]).toEqual([409, 'idempotency_conflict']);
      call.answer();
      const first = await waiting;
      const again = await api.dial(id, { to: agent, wait: true, ring_seconds: 120 }, withKey('k'));
      expect([first.statusCode, again.statusCode, again.body]).toEqual([200, 200, first.body]);
      expect(api.calls).toHaveLength(1);
    });

    test('that has failed may be used again', async () => {
      const waiting = api.dial(id, { to: agent, wait: true }, withKey('k'));
      (await api.placed(1)).fail(486);
      expect((await waiting).statusCode).toBe(502);
      const again = api.dial(id, { to: agent, wait: true }, withKey('k'));
      (await api.placed(2)).answer();
      expect((await again).statusCode).toBe(200);
    });
  });
});
