import { afterAll, beforeAll, expect, test } from 'vitest';
import { Registrations } from '../../src/telephony/registrations.ts';
import { type ApiFixture, bearer, openApi } from './api-fixture.ts';

let api: ApiFixture;

beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api.close());

const ask = (headers: Record<string, string> = bearer('an-admin-key-of-length')) =>
  api.request('GET', '/v1/admin/registrations', { headers });

test('the operator sees who has registered, the latest first, for as long as it holds', async () => {
  const registrations = new Registrations(api.store, () => api.clock.now());
  const register = (aor: string, seconds: number, contacts: string[]) => {
    const expiresAt = api.clock.now() + seconds * 1000;
    const whose = { organizationId: 'acme', sourceAddress: '192.0.2.10', aor };
    return registrations.update(whose, () => contacts.map((contact) => ({ contact, expiresAt })));
  };
  await register('sip:short@example.com', 60, ['sip:short@192.0.2.10']);
  api.state.skewMs += 10_000;
  await register('sip:long@example.com', 3600, ['sip:long@192.0.2.10:5062']);
  const { data, ...envelope } = (await ask()).json();
  expect(envelope).toEqual({ object: 'list', has_more: false, url: '/v1/admin/registrations' });
  expect(data.map(({ aor }: { aor: string }) => aor)).toEqual([
    'sip:long@example.com',
    'sip:short@example.com',
  ]);
  expect(data[0]).toMatchObject({
    ...{ object: 'registration', organization_id: 'acme', contact: 'sip:long@192.0.2.10:5062' },
    source_address: '192.0.2.10',
  });
  const { registered_at, expires_at } = data[0];
  expect(Date.parse(expires_at) - Date.parse(registered_at)).toBeGreaterThan(3_599_000);
  api.state.skewMs += 60_000;
  expect((await ask()).json().data).toMatchObject([{ aor: 'sip:long@example.com' }]);
  await register('sip:long@example.com', 0, []);
  expect((await ask()).json().data).toEqual([]);
});

test('nobody but the operator sees them', async () => {
  for (const headers of [{}, bearer('sk_test_acme_0123456789')])
    expect((await ask(headers)).statusCode).toBe(401);
});
