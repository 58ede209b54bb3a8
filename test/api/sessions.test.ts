import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyToken } from '../../src/session-token.ts';
import type { Sessions } from '../../src/sessions/sessions.ts';
import type { Store } from '../../src/store/store.ts';
import { type ApiFixture, acme, openApi, sip } from './api-fixture.ts';

describe('the REST API', () => {
  let fixture: ApiFixture;
  let store: Store;
  let api: ApiFixture['api'];
  let sessions: Sessions;

  beforeAll(async () => {
    fixture = await openApi();
    ({ store, api, sessions } = fixture);
  });
  afterAll(() => fixture.close());

  const create = (payload: unknown, headers?: Record<string, string>) => fixture.create(payload, headers);

  test('makes a session as the contract shows it', async () => {
    const response = await create({
      ...sip,
      source_language: 'en',
      target_language: 'pt-BR',
      routing: {
        type: 'sip',
        direction: 'inbound',
        sip: { from_uri: 'sip:a@example.com', headers: { 'X-Queue': '7' } },
      },
      metadata: { ticket: 42 },
      something: 'unknown is ignored',
    });
    expect(response.statusCode).toBe(201);
    expect(response.headers['x-request-id']).toMatch(/^req_/);
    const body = response.json();
    expect(body).toEqual({
      id: expect.stringMatching(/^sess_[0-9A-HJKMNP-TV-Z]{26}$/),
      object: 'session',
      status: 'created',
      mode: 'bidirectional_translation',
      provider: 'sip',
      phone_number: null,
      sip: { uri: `sip:${body.id}@sip.kallglot.com` },
      source_language: 'en',
      target_language: 'pt-BR',
      routing: {
        type: 'sip',
        direction: 'inbound',
        sip: { from_uri: 'sip:a@example.com', headers: { 'X-Queue': '7' } },
      },
      stream: {
        url: `wss://api.kallglot.com/v1/sessions/${body.id}/connect`,
        token: expect.stringMatching(/^kst_test_/),
        expires_at: expect.any(String),
      },
      recording: { enabled: false },
      ai_agent: null,
      metadata: { ticket: 42 },
      created_at: expect.any(String),
      started_at: null,
      ended_at: null,
    });
    const lifetime = Date.parse(body.stream.expires_at) - Date.parse(body.created_at);
    expect(Math.abs(lifetime - 300_000)).toBeLessThan(5000);
    expect(verifyToken('s', body.stream.token.slice('kst_test_'.length), Date.now())).toBe(body.id);
  });

  test('shows a session to its own organization, by an id in any case, and to no other', async () => {
    const { id } = (await create(sip)).json();
    const get = (headers: Record<string, string>, name = id) =>
      api.inject({ url: `/v1/sessions/${name}`, headers });
    expect((await get(acme)).json().id).toBe(id);
    expect((await get({ 'x-api-key': 'sk_live_acme_0123456789' }, id.toLowerCase())).json().id).toBe(id);
    for (const response of [
      await get({ 'x-api-key': 'sk_test_other_0123456789' }),
      await get(acme, 'sess_nonsense'),
    ]) {
      expect(response.statusCode).toBe(404);
      expect(response.json().error.code).toBe('session_not_found');
    }
  });

  test('ends a session once, and shows its summary again', async () => {
    const { id } = (await create(sip)).json();
    await sessions.apply(id, { type: 'started', at: Date.now() - 1500 });
    const end = () =>
      api.inject({
        method: 'POST',
        url: `/v1/sessions/${id}/end`,
        headers: { ...acme, 'content-type': 'application/json' },
      });
    const [first, again] = [await end(), await end()];
    expect(first.json()).toEqual({
      id,
      object: 'session',
      status: 'ended',
      duration_seconds: expect.any(Number),
      ended_at: expect.any(String),
    });
    expect(first.json().duration_seconds).toBeGreaterThanOrEqual(1.5);
    expect(again.json()).toEqual(first.json());
    const shown = (await api.inject({ url: `/v1/sessions/${id}`, headers: acme })).json();
    expect([shown.status, shown.stream]).toEqual(['ended', undefined]);
  });

  test.each([
    [{ routing: { type: 'sip' } }, 422, 'invalid_request', 'mode'],
    [{ mode: 'telepathy' }, 422, 'invalid_request', 'mode'],
    [{ ...sip, source_language: 'xx-klingon-9' }, 422, 'invalid_request', 'source_language'],
    [{ ...sip, routing: { type: 'fax' } }, 422, 'invalid_request', 'routing.type'],
    [{ ...sip, routing: { phone_number: '0800' } }, 422, 'invalid_request', 'routing.phone_number'],
    [
      { ...sip, routing: { type: 'sip', sip: { headers: { From: 'x' } } } },
      422,
      'invalid_request',
      undefined,
    ],
    [{ ...sip, metadata: { big: 'x'.repeat(20_000) } }, 422, 'invalid_request', 'metadata'],
    [{ ...sip, metadata: 'text' }, 422, 'invalid_request', 'metadata'],
    [{ ...sip, provider: { type: 'sip' } }, 422, 'invalid_request', 'provider'],
    [{ ...sip, recording: { enabled: true } }, 422, 'recording_not_available', 'recording.enabled'],
    [{ mode: 'ai_agent' }, 422, 'no_default_provider', 'routing'],
    [{ ...sip, routing: { connection_id: 'pcon_x' } }, 404, 'connection_not_found', 'routing.connection_id'],
    [
      { ...sip, routing: { phone_number: '+14155550199' } },
      404,
      'phone_number_not_found',
      'routing.phone_number',
    ],
    [[], 422, 'invalid_request', undefined],
  ])('refuses %j with %i %s', async (payload, status, code, param) => {
    const response = await create(payload);
    const { error } = response.json();
    expect([response.statusCode, error.code]).toEqual([status, code]);
    if (param) expect(error.param).toBe(param);
    expect(error).toMatchObject({
      message: expect.any(String),
      request_id: response.headers['x-request-id'],
    });
  });

  test('refuses SIP for an organization that has it off', async () => {
    const response = await create(sip, { 'x-api-key': 'sk_test_other_0123456789' });
    expect([response.statusCode, response.json().error.code]).toEqual([403, 'sip_not_enabled']);
  });

  test.each([
    ['{"mode":', 'application/json', 400, 'malformed_body'],
    ['mode=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    [`{"mode":"${'x'.repeat(70_000)}"}`, 'application/json', 413, 'body_too_large'],
    ['null', 'application/json', 422, 'invalid_request'],
    ['{"mode":"ai_agent","__proto__":{"admin":true}}', 'application/json', 422, 'no_default_provider'],
  ])('refuses the body %s as %s', async (payload, type, status, code) => {
    const headers = { ...acme, 'content-type': type };
    const response = await api.inject({ method: 'POST', url: '/v1/sessions', headers, payload });
    expect([response.statusCode, response.json().error.code]).toEqual([status, code]);
  });

  test.each([
    {},
    { authorization: 'Bearer sk_test_nobody_000000' },
    { authorization: 'Basic eDp5' },
    { 'x-api-key': '' },
  ])('knows nobody by %o', async (headers) => {
    const response = await create(sip, headers as Record<string, string>);
    expect([response.statusCode, response.json().error.code]).toEqual([401, 'invalid_api_key']);
    expect(response.json().error.type).toBe('authentication_error');
  });

  test('answers unknown addresses in the same envelope', async () => {
    const response = await api.inject({ url: '/v2/nothing' });
    expect([response.statusCode, response.json().error.code]).toEqual([404, 'not_found']);
  });

  test('keeps no key in the store, only its hash', async () => {
    const rows = await store.db.selectFrom('api_keys').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain('sk_');
    expect(rows).toHaveLength(5);
  });

  test('makes no session and is not ready while it drains', async () => {
    fixture.state.draining = true;
    const response = await create(sip);
    expect([response.statusCode, response.json().error.code, response.headers['retry-after']]).toEqual([
      503,
      'draining',
      '5',
    ]);
    expect((await api.inject({ url: '/readyz' })).statusCode).toBe(503);
    fixture.state.draining = false;
    expect((await api.inject({ url: '/readyz' })).json()).toMatchObject({ status: 'ready', reasons: [] });
    expect((await api.inject({ url: '/healthz' })).statusCode).toBe(200);
  });

  test('shows metrics in the text format of Prometheus', async () => {
    const response = await api.inject({ url: '/metrics' });
    expect(response.headers['content-type']).toContain('text/plain');
    expect(response.body).toContain('# TYPE kallglot_calls_active gauge');
    expect(response.body).toContain('kallglot_http_requests_total{status="201"}');
  });

  test('shows the refusals to the operator alone', async () => {
    const ask = (headers: Record<string, string>) => api.inject({ url: '/v1/admin/refusals', headers });
    expect((await ask(acme)).statusCode).toBe(401);
    expect((await ask({ authorization: 'Bearer an-admin-key-of-length' })).json()).toEqual({
      object: 'list',
      data: [],
      has_more: false,
      url: '/v1/admin/refusals',
    });
  });
});
