import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionModes } from '../../src/roles.ts';
import { verifyToken } from '../../src/session-token.ts';
import { type ApiFixture, acme, openApi, other, sip } from './api-fixture.ts';

/** The documented requests and answers of Kallglot's API (contract §2, §3, §5, §9; decisions §7). */

const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const sessionId = expect.stringMatching(/^sess_[0-9A-HJKMNP-TV-Z]{26}$/);

describe('the contract', () => {
  let api: ApiFixture;
  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.close());

  const unset = {
    phone_number: null,
    source_language: null,
    target_language: null,
    recording: { enabled: false },
    ai_agent: null,
    metadata: null,
    started_at: null,
    ended_at: null,
  };

  test.each([
    [
      'a managed number',
      {
        mode: 'bidirectional_translation',
        source_language: 'en',
        target_language: 'es',
        routing: { phone_number: '+14155550100' },
      },
      { provider: 'twilio', phone_number: '+14155550100', source_language: 'en', target_language: 'es' },
    ],
    [
      'one’s own connection',
      {
        mode: 'assistive_translation',
        routing: { connection_id: 'pcon_own', direction: 'inbound' },
        metadata: { ticket: 42 },
      },
      { provider: 'telnyx', metadata: { ticket: 42 } },
    ],
    [
      'SIP',
      { mode: 'ai_agent', routing: { type: 'sip', sip: { from_uri: 'sip:alice@example.com' } } },
      { provider: 'sip', sip: { uri: expect.stringMatching(/^sip:sess_.{26}@sip\.kallglot\.com$/) } },
    ],
    ['no telephony at all', { mode: 'help_chat_voice', routing: { type: 'webrtc' } }, { provider: 'webrtc' }],
  ])('creates a session by %s', async (_path, body, shown) => {
    const answer = await api.create(body);
    expect(answer.statusCode).toBe(201);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
    expect(answer.json()).toEqual({
      ...unset,
      id: sessionId,
      object: 'session',
      status: 'created',
      mode: body.mode,
      routing: body.routing,
      stream: {
        url: `wss://api.kallglot.com/v1/sessions/${answer.json().id}/connect`,
        token: expect.stringMatching(/^kst_test_/),
        expires_at: iso,
      },
      created_at: iso,
      ...shown,
    });
  });

  test.each(sessionModes)('takes the mode %s without languages', async (mode) => {
    const answer = await api.create({ mode, routing: { type: 'sip' } });
    expect([answer.statusCode, answer.json().mode]).toEqual([201, mode]);
  });

  test.each(['en', 'es', 'de', 'pt-BR', 'zh-Hans-CN', 'yue', 'EN'])(
    'takes the language %s',
    async (source_language) => {
      expect((await api.create({ ...sip, source_language })).statusCode).toBe(201);
    },
  );

  test.each([
    ['source_language', 'english'],
    ['source_language', 'xx'],
    ['target_language', 'en_US'],
    ['target_language', ''],
    ['target_language', 7],
  ])('names %s when it is %j', async (param, value) => {
    const answer = await api.create({ ...sip, [param]: value });
    expect(answer.statusCode).toBe(422);
    expect(answer.json().error).toMatchObject({ type: 'validation_error', param });
    expect(answer.json().error.message).toContain(param);
  });

  test('gives a fresh stream token with every GET of a created and an active session', async () => {
    const { id, stream } = (await api.create()).json();
    const get = async () => (await api.request('GET', `/v1/sessions/${id}`)).json();
    api.state.skewMs = 60_000;
    const created = await get();
    await api.sessions.apply(id, { type: 'started', at: api.clock.now() });
    api.state.skewMs = 120_000;
    const active = await get();
    api.state.skewMs = 0;
    expect([created.status, active.status]).toEqual(['created', 'active']);
    expect(active.started_at).toEqual(iso);
    const expiries = [stream, created.stream, active.stream].map(({ expires_at }) => Date.parse(expires_at));
    expect(new Set([stream.token, created.stream.token, active.stream.token]).size).toBe(3);
    for (const [i, skew] of [0, 60_000, 120_000].entries()) {
      expect(Math.abs((expiries[i] as number) - skew - 300_000 - Date.now())).toBeLessThan(10_000);
    }
    const token = active.stream.token.slice('kst_test_'.length);
    expect(verifyToken('s', token, Date.now() + 120_000)).toBe(id);
  });

  test('ends a session with a summary, and again with the same one', async () => {
    const { id } = (await api.create()).json();
    const end = () => api.request('POST', `/v1/sessions/${id}/end`);
    const [first, again] = [await end(), await end()];
    expect(first.statusCode).toBe(200);
    expect(first.json()).toEqual({
      id,
      object: 'session',
      status: 'ended',
      duration_seconds: 0,
      ended_at: iso,
    });
    expect(again.json()).toEqual(first.json());
  });

  test('takes a key by either header', async () => {
    const { id } = (await api.create()).json();
    for (const headers of [acme, { 'x-api-key': 'sk_test_acme_0123456789' }]) {
      expect((await api.request('GET', `/v1/sessions/${id}`, { headers })).statusCode).toBe(200);
    }
    const live = await api.create(sip, { 'x-api-key': 'sk_live_acme_0123456789' });
    expect(live.json().stream.token).toMatch(/^kst_live_/);
  });

  test('has no list of sessions, no agents and no analyses', async () => {
    for (const url of ['/v1/sessions', '/v1/agents', '/v1/analyses/anl_1']) {
      const answer = await api.request('GET', url);
      expect([url, answer.statusCode, answer.json().error.code]).toEqual([url, 404, 'not_found']);
    }
  });

  test.each([
    [{ connection_id: 'pcon_own', type: 'sip', phone_number: '+14155550100' }, 'telnyx'],
    [{ type: 'sip', phone_number: '+14155550100' }, 'sip'],
    [{ phone_number: '+14155550100' }, 'twilio'],
  ])('routes %j to %s', async (routing, provider) => {
    expect((await api.create({ ...sip, routing })).json().provider).toBe(provider);
  });

  test.each([
    [{ type: 'sip' }, other, 403, 'sip_not_enabled', 'routing.type'],
    [{ connection_id: 'pcon_none', type: 'sip' }, acme, 404, 'connection_not_found', 'routing.connection_id'],
    [{ phone_number: '+14155550199' }, acme, 404, 'phone_number_not_found', 'routing.phone_number'],
    [{}, acme, 422, 'no_default_provider', 'routing'],
    [null, acme, 422, 'no_default_provider', 'routing'],
  ])('refuses the route %j', async (routing, headers, status, code, param) => {
    const answer = await api.create({ ...sip, routing }, headers);
    expect([answer.statusCode, answer.json()]).toEqual([
      status,
      {
        error: {
          type: 'invalid_request_error',
          code,
          param,
          message: expect.any(String),
          request_id: answer.headers['x-request-id'],
        },
      },
    ]);
  });

  test('tells who sends `provider` to use `routing`', async () => {
    const { error } = (await api.create({ ...sip, provider: 'twilio' })).json();
    expect([error.param, error.message]).toEqual(['provider', expect.stringContaining('routing')]);
  });
});

describe('hostile requests', () => {
  let api: ApiFixture;
  beforeAll(async () => {
    api = await openApi();
  });
  afterAll(() => api.close());

  test('of another organization find no session, whatever they ask', async () => {
    const { id } = (await api.create()).json();
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/calls'],
      ['GET', '/transcript'],
      ['POST', '/end'],
      ['POST', '/hangup'],
    ] as const) {
      const answer = await api.request(method, `/v1/sessions/${id}${path}`, { headers: other });
      expect([path, answer.statusCode, answer.json().error.code]).toEqual([path, 404, 'session_not_found']);
    }
    expect((await api.request('GET', `/v1/sessions/${id}`)).json().status).toBe('created');
  });

  const injections = [
    "' OR '1'='1",
    "'; DROP TABLE sessions; --",
    '"; DELETE FROM api_keys',
    '%27%20OR%201=1',
  ];
  test.each(injections)('with SQL in every place they control do nothing: %s', async (text) => {
    const before = await api.store.db.selectFrom('sessions').select('id').execute();
    const url = `/v1/sessions/${encodeURIComponent(text)}`;
    expect((await api.request('GET', url)).statusCode).toBe(404);
    expect((await api.request('POST', `${url}/end`)).statusCode).toBe(404);
    const byKey = await api.request('GET', url, { headers: { 'x-api-key': `sk_test_${text}` } });
    expect(byKey.statusCode).toBe(401);
    const made = await api.create(
      { ...sip, metadata: { [text]: text } },
      { ...acme, 'idempotency-key': text },
    );
    expect(made.json().metadata).toEqual({ [text]: text });
    const after = await api.store.db.selectFrom('sessions').select('id').execute();
    expect(after).toHaveLength(before.length + 1);
  });

  test.each([
    [{ ...sip, mode: ['ai_agent'] }],
    [{ ...sip, mode: { $ne: null } }],
    [{ ...sip, metadata: [1, 2] }],
    [{ ...sip, routing: 'sip' }],
    [{ ...sip, routing: { type: 'sip', sip: { from_uri: 'sip:a@b\r\nX-Evil: 1' } } }],
    [{ ...sip, routing: { type: 'sip', sip: { headers: { 'X-A': 'one\r\ntwo' } } } }],
    [{ ...sip, routing: { type: 'sip', sip: { headers: { Via: 'x' } } } }],
    [{ ...sip, recording: true }],
    [{ ...sip, ai_agent: { big: 'x'.repeat(20_000) } }],
    ['text'],
    [42],
  ])('with wrong types are told what is wrong: %j', async (body) => {
    const answer = await api.create(JSON.stringify(body), { ...acme, 'content-type': 'application/json' });
    expect([answer.statusCode, answer.json().error.type]).toEqual([422, 'validation_error']);
  });

  test('that are too large, too deep or not JSON are refused before they are looked at', async () => {
    const headers = { ...acme, 'content-type': 'application/json' };
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const headersOfKey = { ...headers, 'idempotency-key': 'deep' };
    const statuses = [
      (await api.create(`{"mode":"${'x'.repeat(70_000)}"}`, headers)).statusCode,
      (await api.create('{"mode"', headers)).statusCode,
      (await api.create('mode=x', { ...acme, 'content-type': 'text/plain' })).statusCode,
      (await api.create(deep, headers)).statusCode,
      (await api.create(deep, headersOfKey)).statusCode,
    ];
    expect(statuses).toEqual([413, 400, 415, 400, 400]);
    const brackets = { ...sip, metadata: { text: '[{'.repeat(1000), quoted: '\\"[' } };
    expect((await api.create(brackets)).json().metadata).toEqual(brackets.metadata);
  });

  test('cost no more time for being written to cost time', async () => {
    const headers = { ...acme, 'content-type': 'application/json' };
    const startedAt = performance.now();
    expect((await api.create(`"${'\\"'.repeat(30_000)}`, headers)).statusCode).toBe(400);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  test('are refused for who they are before what they say', async () => {
    const nobody = { authorization: 'Bearer sk_test_nobody_0123456789' };
    expect((await api.create('{"mode"', { ...nobody, 'content-type': 'application/json' })).statusCode).toBe(
      401,
    );
    expect((await api.request('GET', '/v1/nothing', { headers: nobody })).statusCode).toBe(401);
    expect((await api.request('GET', '/v1/nothing')).statusCode).toBe(404);
  });
});
