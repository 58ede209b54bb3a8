import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiFixture, bearer, openApi } from './api-fixture.ts';

let api: ApiFixture;

beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api.close());

const operator = bearer('an-admin-key-of-length');
const ask = (method: 'GET' | 'POST' | 'DELETE', path = '', body?: unknown, headers = operator) =>
  api.request(method, `/v1/admin/bans${path}`, { headers, body });

test('an address is banned by hand, listed, and the ban is lifted', async () => {
  const made = await ask('POST', '', { address: '203.0.113.66', seconds: 60 });
  expect(made.statusCode).toBe(201);
  const ban = made.json();
  expect(ban).toMatchObject({ address: '203.0.113.66', object: 'ban', cause: 'operator', count: 0 });
  expect(Date.parse(ban.until) - Date.parse(ban.since)).toBe(60_000);
  expect((await ask('GET')).json()).toEqual({
    ...{ object: 'list', data: [ban], has_more: false, url: '/v1/admin/bans' },
  });
  const lifted = await ask('DELETE', '/203.0.113.66');
  expect([lifted.statusCode, lifted.json()]).toEqual([
    200,
    { id: '203.0.113.66', object: 'ban', deleted: true },
  ]);
  expect((await ask('GET')).json().data).toEqual([]);
  const again = await ask('DELETE', '/203.0.113.66');
  expect([again.statusCode, again.json().error.code]).toEqual([404, 'ban_not_found']);
});

test('without a time it lasts as long as the others; IPv6 is taken too', async () => {
  const ban = (await ask('POST', '', { address: '2001:db8::7' })).json();
  expect(Date.parse(ban.until) - Date.parse(ban.since)).toBe(300_000);
  expect((await ask('DELETE', '/2001:db8::7')).statusCode).toBe(200);
});

test.each([
  [{ address: '203.0.113.0/24' }, 'address'],
  [{ address: 'example.com' }, 'address'],
  [{ seconds: 5 }, 'address'],
  [{ address: '203.0.113.66', seconds: 0 }, 'seconds'],
  [{ address: '203.0.113.66', seconds: 2_678_401 }, 'seconds'],
])('%j is refused', async (body, param) => {
  const { statusCode, ...answer } = await ask('POST', '', body);
  expect([statusCode, answer.json().error.param]).toEqual([422, param]);
});

test('nobody but the operator may ask', async () => {
  for (const headers of [{} as typeof operator, bearer('sk_test_acme_0123456789')]) {
    expect((await ask('GET', '', undefined, headers)).statusCode).toBe(401);
    expect((await ask('POST', '', { address: '203.0.113.66' }, headers)).statusCode).toBe(401);
    expect((await ask('DELETE', '/203.0.113.66', undefined, headers)).statusCode).toBe(401);
  }
});
