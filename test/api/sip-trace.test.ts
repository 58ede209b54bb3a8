import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiError } from '../../src/errors.ts';
import { type ApiFixture, bearer, openApi } from './api-fixture.ts';

let api: ApiFixture;

beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api.close());

const operator = bearer('an-admin-key-of-length');
const ask = (id: string, headers = operator) =>
  api.request('GET', `/v1/admin/calls/${encodeURIComponent(id)}/sip`, { headers });

test('the messages of a call are plain text, whatever its Call-ID is made of', async () => {
  const callId = `a/b?c#d%e <ä>@${'x'.repeat(300)}`;
  api.traces.set(callId, 'Call-ID: …\n');
  const { statusCode, headers, body } = await ask(callId);
  expect([statusCode, headers['content-type'], body]).toEqual([
    200,
    'text/plain; charset=utf-8',
    'Call-ID: …\n',
  ]);
});

test('a call that is not known is 404', async () => {
  const { statusCode, body } = await ask('nobody');
  expect([statusCode, JSON.parse(body).error.code]).toEqual([404, 'call_not_found']);
});

test('an engine that keeps no messages is 501, and what to do instead is said', async () => {
  api.traces.set('remote', new ApiError('trace_not_available'));
  const { statusCode, body } = await ask('remote');
  expect([statusCode, JSON.parse(body).error.code]).toEqual([501, 'trace_not_available']);
  expect(JSON.parse(body).error.message).toContain('--homer');
});

test('nobody but the operator may ask', async () => {
  for (const headers of [{}, bearer('sk_test_acme_0123456789')]) {
    expect((await ask('nobody', headers as typeof operator)).statusCode).toBe(401);
  }
});
