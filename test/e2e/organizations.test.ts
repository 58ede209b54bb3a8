import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../support/gateway.ts';

const key = 'an-admin-key-of-length';
const url = '/v1/admin/organizations';

describe('the organizations that an operator makes', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start({ settings: { api: { listen: '127.0.0.1:0', admin_key: key } } });
  });
  afterAll(() => gateway.stop());

  const admin = (method: string, path: string, body?: unknown) => gateway.rest(method, path, body, key);

  test('have keys of their own, enable SIP by themselves, and their calls are taken at once', async () => {
    expect((await admin('POST', url, { id: 'new', name: 'New' })).status).toBe(201);
    const made = await admin('POST', `${url}/new/api_keys`, { environment: 'test' });
    expect(made.body.key).toMatch(/^sk_test_/);
    const enabled = await gateway.rest('POST', '/v1/telephony/sip/enable', undefined, made.body.key);
    const { username, password } = enabled.body;
    const session = await gateway.rest(
      'POST',
      '/v1/sessions',
      { mode: 'ai_agent', routing: { type: 'sip' } },
      made.body.key,
    );
    const phone = await gateway.phone({ username, password });
    const call = await phone.call(gateway.uri(session.body.id));
    expect(call.status).toBe(200);
    await call.bye();
    await phone.stop();
  });

  test('can be switched off, and their keys revoked', async () => {
    await admin('POST', url, { id: 'gone', name: 'Gone' });
    const made = await admin('POST', `${url}/gone/api_keys`, {});
    const ask = async () => (await gateway.rest('GET', '/v1/telephony/sip', undefined, made.body.key)).status;
    expect(await ask()).toBe(200);
    await admin('POST', `${url}/gone/deactivate`);
    expect(await ask()).toBe(403);
    await admin('POST', `${url}/gone/activate`);
    await admin('DELETE', `${url}/gone/api_keys/${made.body.id}`);
    expect(await ask()).toBe(401);
  });

  test('are made once; those of the configuration file are shown, and stay its own', async () => {
    expect((await admin('POST', url, { id: 'acme', name: 'Acme 2' })).body.error.code).toBe(
      'organization_exists',
    );
    expect((await admin('POST', `${url}/acme/deactivate`)).body.error.code).toBe('managed_by_config');
    expect((await admin('POST', `${url}/nobody/api_keys`, {})).body.error.code).toBe(
      'organization_not_found',
    );
    const { body } = await admin('GET', url);
    expect(body.data).toContainEqual({
      id: 'acme',
      object: 'organization',
      name: 'Acme',
      active: true,
      managed_by: 'config',
    });
  });

  test('are nobody else’s business', async () => {
    expect((await gateway.rest('GET', url)).status).toBe(401);
    expect((await gateway.rest('POST', url, { id: 'x', name: 'X' })).status).toBe(401);
  });
});
