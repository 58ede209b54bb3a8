import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scopes } from '../../src/telephony/api-keys.ts';
import { type ApiFixture, bearer, openApi } from './api-fixture.ts';

interface Route {
  method: string;
  path: string;
  description: string;
}

describe('the scopes of an API key', () => {
  let api: ApiFixture;
  let routes: Route[];

  beforeAll(async () => {
    api = await openApi();
    await api.api.ready();
    const { paths } = api.api.swagger() as unknown as {
      paths: Record<string, Record<string, { description?: string }>>;
    };
    routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { description = '' }]) => ({ method, path, description })),
    );
  });
  afterAll(() => api.close());

  const scopeOf = ({ description }: Route) => /Scope: `(.+)`/.exec(description)?.[1];
  const ofOrganizations = () => routes.filter(({ path }) => /^\/v1\/(?!admin\/|carriers\/)/.test(path));

  test('are asked for by every route of an organization', () => {
    expect(ofOrganizations().length).toBeGreaterThan(4);
    for (const route of ofOrganizations()) expect([...scopes, route.path]).toContain(scopeOf(route));
  });

  test('are checked on every route, before anything else of it', async () => {
    const keyOf = (scope: string) =>
      scope === 'sessions:read' ? 'sk_test_writer_0123456789' : 'sk_test_reader_0123456789';
    for (const route of ofOrganizations()) {
      const scope = scopeOf(route) ?? '';
      const url = route.path.replace(/\{\w+\}/g, 'x');
      const method = route.method.toUpperCase() as 'GET';
      const answer = await api.api.inject({ method, url, headers: bearer(keyOf(scope)) });
      const { type, code, message } = answer.json().error;
      expect([route.path, answer.statusCode, type, code]).toEqual([
        route.path,
        403,
        'permission_error',
        'insufficient_permissions',
      ]);
      expect(message).toContain(scope);
    }
  });

  test('let through what they name', async () => {
    const { id } = (await api.create(undefined, bearer('sk_test_writer_0123456789'))).json();
    const get = (key: string) => api.request('GET', `/v1/sessions/${id}`, { headers: bearer(key) });
    expect((await get('sk_test_reader_0123456789')).statusCode).toBe(200);
    expect((await get('sk_test_acme_0123456789')).statusCode).toBe(200);
    expect((await get('sk_test_writer_0123456789')).statusCode).toBe(403);
  });
});
