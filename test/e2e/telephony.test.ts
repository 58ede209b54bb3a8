import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/store/store.ts';
import { keys, startApiGateway } from '../support/api-gateway.ts';
import { addApiOrganizations } from '../support/api-organizations.ts';
import { FakeCarrier } from '../support/fake-carrier.ts';
import { acme, type TestGateway } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { TestPhone, TestPhoneOptions } from '../support/test-phone.ts';

const sid = `AC${'0123456789abcdef'.repeat(2)}`;
const base = '/v1/telephony';
const number = { phone_number: '+14155550100', carrier: 'twilio' };

describe('the telephony settings', () => {
  let gateway: TestGateway;
  let carrier: FakeCarrier;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    carrier = await FakeCarrier.start();
    const telephony = {
      inventory: [number, { phone_number: '+442071234567', carrier: 'telnyx' }],
      twilio_url: carrier.url,
      telnyx_url: `${carrier.url}/`,
    };
    const reader = { key: 'sk_test_reader_0123456789', scopes: ['telephony:read', 'sessions:write'] };
    gateway = await startApiGateway({
      settings: { telephony, store: { encryption_key: 'an-encryption-key-for-tests' } },
      // On no list that has this machine's address, so that nobody is identified by it.
      organizations: [
        { ...acme, api_keys: [...acme.api_keys, reader], sip: { ...acme.sip, allowed_ips: ['192.0.2.9'] } },
      ],
    });
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
    await carrier.stop();
  });

  const ask = (method: string, path: string, body?: unknown, key = keys.portal) =>
    gateway.rest(method, `${base}${path}`, body, key);
  async function callAs(options: TestPhoneOptions) {
    const { body } = await gateway.rest(
      'POST',
      '/v1/sessions',
      { mode: 'bidirectional_translation', routing: { type: 'sip' } },
      keys.portal,
    );
    const phone = await gateway.phone(options);
    phones.push(phone);
    const call = await phone.call(gateway.uri(body.id));
    if (call.status === 200) await call.bye();
    return { status: call.status, code: call.headers.get('x-kallglot-error') };
  }

  test('let an organization set up its trunk, and each change counts for the next INVITE', async () => {
    const refused = await gateway.rest(
      'POST',
      '/v1/sessions',
      { mode: 'ai_agent', routing: { type: 'sip' } },
      keys.portal,
    );
    expect([refused.status, refused.body.error.code]).toEqual([403, 'sip_not_enabled']);
    const enabled = await ask('POST', '/sip/enable');
    expect(enabled.status).toBe(200);
    const { username, password } = enabled.body;
    expect(await callAs({ username, password })).toMatchObject({ status: 200 });

    const renewed = (await ask('POST', '/sip/credentials')).body;
    expect(renewed.username).toBe(username);
    expect(await callAs({ username, password })).toMatchObject({ status: 403 });
    expect(await callAs({ username, password: renewed.password })).toMatchObject({ status: 200 });

    const credentials = { username, password: renewed.password };
    const elsewhere = { cidr: '192.0.2.0/24', note: 'head office' };
    expect((await ask('POST', '/sip/allowed-ips', elsewhere)).status).toBe(201);
    expect(await callAs(credentials)).toMatchObject({ status: 403, code: 'ip_not_allowed' });
    await ask('POST', '/sip/allowed-ips', { cidr: '127.0.0.1' });
    expect(await callAs({ username: undefined, password: undefined })).toMatchObject({ status: 200 });
    expect((await ask('GET', '/sip/allowed-ips')).body).toEqual({
      object: 'list',
      data: [
        { object: 'allowed_ip', ...elsewhere },
        { object: 'allowed_ip', cidr: '127.0.0.1', note: null },
      ],
      has_more: false,
      url: '/v1/telephony/sip/allowed-ips',
    });

    await ask('PATCH', '/sip', { require_digest: true });
    expect(await callAs({ username: undefined, password: undefined })).toMatchObject({ status: 401 });
    for (const cidr of ['127.0.0.1', '192.0.2.0%2F24'])
      expect((await ask('DELETE', `/sip/allowed-ips?cidr=${cidr}`)).status).toBe(200);
    await ask('PATCH', '/sip', { enabled: false });
    expect((await ask('GET', '/sip')).body).toMatchObject({ enabled: false, username, allowed_ips: [] });
  });

  test('hang up a call whose media falls silent for as long as the trunk says', async () => {
    await ask('PATCH', '/sip', { enabled: true, require_digest: false, media_timeout_seconds: 1 });
    const { username, password } = (await ask('POST', '/sip/credentials')).body;
    const { body } = await gateway.rest(
      'POST',
      '/v1/sessions',
      { mode: 'help_chat_voice', routing: { type: 'sip' } },
      keys.portal,
    );
    const phone = await gateway.phone({ username, password });
    phones.push(phone);
    const call = await phone.call(gateway.uri(body.id));
    expect(call.status).toBe(200);
    call.media.mute();
    expect((await call.ended).reasonHeader).toMatch(/text="media_timeout: /);
    await ask('PATCH', '/sip', { media_timeout_seconds: null });
  });

  test('show the trunk whole, and never a password', async () => {
    const session_defaults = {
      mode: 'assistive_translation',
      source_language: 'en',
      metadata: { site: 'b' },
    };
    await ask('PATCH', '/sip', { concurrency_limit: 5, session_defaults });
    const { username } = (await ask('POST', '/sip/enable')).body;
    expect((await ask('GET', '/sip')).body).toEqual({
      object: 'sip_settings',
      managed_by: 'api',
      enabled: true,
      username,
      domain: 'sip.kallglot.com',
      allowed_ips: [],
      require_digest: false,
      concurrency_limit: 5,
      media_timeout_seconds: null,
      codecs: null,
      inbound_first: false,
      session_defaults: { ...session_defaults, target_language: null, mix_original_db: null },
      tls_required: false,
      tls_certificates: [],
      srtp: 'off',
    });
    expect((await ask('POST', '/sip/enable')).body.password).toBeNull();
  });

  test('say where an organization may call, and never show the password of its trunk', async () => {
    const nothing = {
      ...{
        object: 'sip_outbound',
        managed_by: 'api',
        enabled: false,
        host: null,
        port: null,
        transport: 'udp',
      },
      ...{ username: null, password_set: false, caller_id: null, allowed_numbers: [], allowed_domains: [] },
    };
    expect((await ask('GET', '/sip/outbound')).body).toEqual(nothing);
    const wanted = {
      ...{ enabled: true, host: 'sip.carrier.example', port: 5060, transport: 'tcp', username: 'acme' },
      ...{ caller_id: '+14155550100', allowed_numbers: ['+1', '!+1900'], allowed_domains: ['*.example.com'] },
    };
    const kept = { ...nothing, ...wanted, password_set: true };
    const put = await ask('PUT', '/sip/outbound', { ...wanted, password: 'a-trunk-password' });
    expect([put.status, put.body]).toEqual([200, kept]);
    expect((await ask('PUT', '/sip/outbound', wanted)).body).toEqual(kept);
    expect((await ask('GET', '/sip/outbound')).body).toEqual(kept);
    expect((await ask('GET', '/sip/outbound', undefined, keys.stranger)).body).toEqual(nothing);
    const moved = await ask('PUT', '/sip/outbound', { ...wanted, host: 'evil.example' });
    expect([moved.status, moved.body.error.param]).toEqual([422, 'password']);
    expect((await ask('DELETE', '/sip/outbound')).body).toEqual({ object: 'sip_outbound', deleted: true });
    expect((await ask('GET', '/sip/outbound')).body).toEqual(nothing);
  });

  test('give configurations with the values of the organization', async () => {
    const { username } = (await ask('POST', '/sip/enable')).body;
    const { status, body } = await ask('GET', '/sip/configuration');
    expect(status).toBe(200);
    expect(body.data.map((one: { pbx: string }) => one.pbx)).toEqual(['freeswitch', 'asterisk', 'kamailio']);
    const port = gateway.sipAddress().split(':')[1];
    for (const { text } of body.data) expect(text).toContain(`sip.kallglot.com:${port}`);
    for (const { text } of body.data) expect(text).toContain(username);
  });

  test.each([
    ['PATCH', '/sip', { tls_certificates: ['*.acme.example'] }, 'invalid_request', 'tls_certificates.0'],
    ['PATCH', '/sip', { tls_certificates: ['ab'.repeat(31)] }, 'invalid_request', 'tls_certificates.0'],
    ['PATCH', '/sip', { srtp: 'sometimes' }, 'invalid_request', 'srtp'],
    ['PATCH', '/sip', { concurrency_limit: '5' }, 'invalid_request', 'concurrency_limit'],
    ['PATCH', '/sip', { media_timeout_seconds: -1 }, 'invalid_request', 'media_timeout_seconds'],
    ['PATCH', '/sip', { codecs: [] }, 'invalid_request', 'codecs'],
    ['PATCH', '/sip', { codecs: ['PCMU', 'GSM'] }, 'invalid_request', 'codecs.1'],
    ['PATCH', '/sip', { codecs: ['PCMU', 'PCMU'] }, 'invalid_request', 'codecs'],
    ['PATCH', '/sip', { session_defaults: { mode: 'x' } }, 'invalid_request', 'session_defaults.mode'],
    ['PUT', '/sip/outbound', { host: 'a b' }, 'invalid_request', 'host'],
    ['PUT', '/sip/outbound', { allowed_numbers: ['49'] }, 'invalid_request', 'allowed_numbers.0'],
    ['PUT', '/sip/outbound', { allowed_domains: ['*'] }, 'invalid_request', 'allowed_domains.0'],
    ['PUT', '/sip/outbound', { host: 'a', username: 'u' }, 'invalid_request', 'password'],
    ['POST', '/sip/allowed-ips', { cidr: '192.0.2.0/33' }, 'invalid_request', 'cidr'],
    ['POST', '/sip/allowed-ips', { cidr: '0.0.0.0/0' }, 'confirmation_required', 'confirm'],
    ['POST', '/numbers', { phone_number: '4155550100' }, 'invalid_request', 'phone_number'],
    ['POST', '/numbers', { phone_number: "+1' OR 1=1 --" }, 'invalid_request', 'phone_number'],
    ['PATCH', '/numbers/num_1', {}, 'invalid_request', 'session_defaults'],
    ['POST', '/connections', { provider: 'sip' }, 'invalid_request', 'provider'],
    ['POST', '/connections', { provider: 'telnyx' }, 'invalid_request', 'api_key'],
    [
      'POST',
      '/connections',
      { provider: 'telnyx', api_key: 'a\r\nX: y-12345' },
      'invalid_request',
      'api_key',
    ],
    ['POST', '/connections', { provider: 'twilio', account_sid: '../x' }, 'invalid_request', 'account_sid'],
  ])('%s %s refuses %o', async (method, path, body, code, param) => {
    const answer = await ask(method, path, body);
    expect(answer.status).toBe(422);
    expect(answer.body.error).toMatchObject({ code, param });
  });

  test('take what is off as it is, and no body where one is needed as an error', async () => {
    expect((await ask('PATCH', '/sip', { tls_required: false, srtp: 'off' })).status).toBe(200);
    for (const path of ['/numbers', '/connections', '/sip/allowed-ips'])
      expect((await ask('POST', path)).status).toBe(422);
    expect((await ask('DELETE', '/sip/allowed-ips')).status).toBe(422);
  });

  test('resolve all three telephony paths', async () => {
    const create = (routing?: object) =>
      gateway.rest('POST', '/v1/sessions', { mode: 'bidirectional_translation', routing }, keys.portal);
    expect((await create()).body.error.code).toBe('no_default_provider');
    const bought = await ask('POST', '/numbers', { phone_number: '+442071234567' });
    expect([bought.status, bought.body]).toEqual([
      201,
      expect.objectContaining({ object: 'phone_number', carrier: 'telnyx', active: true }),
    ]);
    const added = await ask('POST', '/connections', {
      provider: 'twilio',
      account_sid: sid,
      auth_token: 'the-twilio-token',
    });
    expect([added.status, added.body]).toEqual([
      201,
      expect.objectContaining({ object: 'connection', status: 'verified', is_default: true, name: 'Twilio' }),
    ]);
    const byNumber = { phone_number: '+442071234567' };
    expect((await create(byNumber)).body).toMatchObject({ provider: 'telnyx', ...byNumber });
    expect((await create({ connection_id: added.body.id })).body).toMatchObject({ provider: 'twilio' });
    expect((await create()).body).toMatchObject({ provider: 'twilio' });
    expect((await create({ type: 'sip' })).body).toMatchObject({ provider: 'sip' });

    await ask('POST', `/numbers/${bought.body.id}/deactivate`);
    expect((await create(byNumber)).body.error.code).toBe('phone_number_not_found');
    await ask('POST', `/connections/${added.body.id}/deactivate`);
    expect((await create({ connection_id: added.body.id })).body.error.code).toBe('connection_not_found');
    expect((await create()).body.error.code).toBe('no_default_provider');
    expect((await ask('DELETE', `/numbers/${bought.body.id}`)).body).toMatchObject({ deleted: true });
    expect((await ask('DELETE', `/connections/${added.body.id}`)).body).toMatchObject({ deleted: true });
  });

  test('keep what the sessions of calls get, by number and by connection', async () => {
    const bought = (await ask('POST', '/numbers', { phone_number: '+442071234567' })).body;
    const session_defaults = { mode: 'ai_agent', source_language: 'en', metadata: { desk: 7 } };
    expect(bought.session_defaults).toBeNull();
    expect((await ask('PATCH', `/numbers/${bought.id}`, { session_defaults })).body).toEqual({
      ...bought,
      session_defaults,
    });
    const public_key = `${'A'.repeat(42)}8=`;
    const added = (
      await ask('POST', '/connections', { provider: 'telnyx', api_key: 'KEY01234567', public_key })
    ).body;
    expect(added).toMatchObject({ public_key, session_defaults: null });
    expect(added.voice_url).toMatch(`/v1/carriers/telnyx/voice?connection_id=${added.id}`);
    const path = `/connections/${added.id}`;
    const change = { name: 'Other', session_defaults };
    expect((await ask('PATCH', path, change)).body).toEqual({ ...added, ...change });
    expect((await ask('PATCH', path, {})).body).toEqual({ ...added, ...change });
    expect((await ask('PATCH', path, { session_defaults: null })).body).toEqual({ ...added, name: 'Other' });
    expect((await ask('PATCH', path, { public_key: 'short' })).body.error.param).toBe('public_key');
    const credentials = { provider: 'twilio', account_sid: sid, auth_token: 'the-twilio-token' };
    const twilio = (await ask('POST', '/connections', credentials)).body;
    const wrong = await ask('PATCH', `/connections/${twilio.id}`, { public_key });
    expect([wrong.status, wrong.body.error.param]).toEqual([422, 'public_key']);
    for (const one of [path, `/numbers/${bought.id}`])
      expect((await ask('PATCH', one, { session_defaults }, keys.stranger)).status).toBe(404);
    for (const one of [path, `/connections/${twilio.id}`, `/numbers/${bought.id}`])
      expect((await ask('DELETE', one)).status).toBe(200);
  });

  test('refuse credentials that the carrier refuses', async () => {
    carrier.status = 401;
    const answer = await ask('POST', '/connections', { provider: 'telnyx', api_key: 'KEY-WRONG-1' });
    carrier.status = 200;
    expect([answer.status, answer.body.error.code]).toEqual([422, 'connection_rejected']);
    expect(answer.body.error.message).not.toContain('KEY-WRONG-1');
    expect((await ask('GET', '/connections')).body.data).toEqual([]);
  });

  test('of another organization are not there', async () => {
    const { id } = (await ask('POST', '/numbers', { phone_number: number.phone_number })).body;
    const connection = (await ask('POST', '/connections', { provider: 'telnyx', api_key: 'KEY01234567' }))
      .body;
    const attempts = [
      ...['activate', 'deactivate'].map((action) => ['POST', `/numbers/${id}/${action}`]),
      ['DELETE', `/numbers/${id}`],
      ['GET', `/connections/${connection.id}`],
      ...['verify', 'default', 'activate', 'deactivate'].map((action) => [
        'POST',
        `/connections/${connection.id}/${action}`,
      ]),
      ['DELETE', `/connections/${connection.id}`],
    ] as [string, string][];
    for (const [method, path] of attempts)
      expect([path, (await ask(method, path, undefined, keys.stranger)).status]).toEqual([path, 404]);
    for (const path of ['/numbers', '/connections', '/sip/allowed-ips'])
      expect((await ask('GET', path, undefined, keys.stranger)).body.data).toEqual([]);
    const taken = await ask('POST', '/numbers', { phone_number: number.phone_number }, keys.stranger);
    expect([taken.status, taken.body.error.code]).toEqual([409, 'phone_number_not_available']);
    expect((await ask('GET', '/numbers/available')).body.data).toEqual([
      { object: 'available_number', phone_number: '+442071234567', carrier: 'telnyx' },
    ]);
    await ask('DELETE', `/numbers/${id}`);
    await ask('DELETE', `/connections/${connection.id}`);
  });

  test('of the configuration file can be read, and changed only there; numbers are no part of it', async () => {
    const own = (method: string, path: string, body?: unknown) => ask(method, path, body, acme.api_keys[0]);
    expect((await own('GET', '/sip')).body).toMatchObject({
      managed_by: 'config',
      username: 'acme',
      allowed_ips: [{ cidr: '192.0.2.9', note: null }],
    });
    const changes = [
      ['PATCH', '/sip', { enabled: false }],
      ['POST', '/sip/enable', undefined],
      ['POST', '/sip/credentials', undefined],
      ['POST', '/sip/allowed-ips', { cidr: '192.0.2.1' }],
      ['DELETE', '/sip/allowed-ips?cidr=192.0.2.9', undefined],
      ['PUT', '/sip/outbound', {}],
      ['DELETE', '/sip/outbound', undefined],
    ] as const;
    for (const [method, path, body] of changes) {
      const answer = await own(method, path, body);
      expect([path, answer.status, answer.body.error.code]).toEqual([path, 409, 'managed_by_config']);
    }
    const { status, body } = await own('POST', '/numbers', { phone_number: number.phone_number });
    expect(status).toBe(201);
    expect((await own('DELETE', `/numbers/${body.id}`)).status).toBe(200);
  });

  test('ask for the scope that a key must have', async () => {
    const reader = 'sk_test_reader_0123456789';
    expect((await ask('GET', '/sip', undefined, reader)).status).toBe(200);
    const writing = [
      ['PATCH', '/sip'],
      ['POST', '/sip/credentials'],
      ['POST', '/numbers'],
      ['POST', '/connections'],
    ] as const;
    for (const [method, path] of writing)
      expect([path, (await ask(method, path, {}, reader)).status]).toEqual([path, 403]);
  });
});

describe('a gateway without an encryption key', () => {
  test('takes no connection', async () => {
    const gateway = await startApiGateway();
    const credentials = { provider: 'telnyx', api_key: 'KEY01234567' };
    const { status, body } = await gateway.rest('POST', `${base}/connections`, credentials);
    expect([status, body.error.code]).toEqual([422, 'encryption_key_missing']);
    await gateway.stop();
  });
});

describe('secrets', () => {
  test('are neither in the files of the store nor in the log', async () => {
    const carrier = await FakeCarrier.start();
    const folder = mkdtempSync(join(tmpdir(), 'gateway-process-'));
    const store = await openStore(`sqlite:${join(folder, 'test.db')}`, 0);
    await addApiOrganizations(store, keys);
    await store.close();
    const gateway = GatewayProcess.start({
      by: 'node',
      folder,
      settings: {
        sip: { listen: ['udp:127.0.0.1:0'] },
        api: { listen: '127.0.0.1:0' },
        media: { address: '127.0.0.1', ports: '25300-25399' },
        log: { level: 'trace' },
        telephony: { twilio_url: carrier.url },
      },
      environment: { KALLGLOT_STORE__ENCRYPTION_KEY: 'an-encryption-key-for-tests' },
    });
    const { api } = await gateway.ready();
    const post = async (path: string, body: object = {}) => {
      const headers = { Authorization: `Bearer ${keys.portal}`, 'Content-Type': 'application/json' };
      const answer = await fetch(`${api}${base}${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return { status: answer.status, body: (await answer.json()) as { password: string } };
    };
    const twilio = { provider: 'twilio', account_sid: sid, auth_token: 'a-token-that-nobody-sees' };
    expect((await post('/connections', twilio)).status).toBe(201);
    carrier.status = 401;
    expect((await post('/connections', twilio)).status).toBe(422);
    await carrier.stop();
    expect((await post('/connections', twilio)).status).toBe(201);
    const { password } = (await post('/sip/enable')).body;
    expect(password).toMatch(/^.{24}$/);
    const kept = readdirSync(gateway.folder)
      .filter((name) => name.startsWith('test.db'))
      .map((name) => readFileSync(join(gateway.folder, name), 'latin1'))
      .join();
    expect(kept).toContain(sid);
    for (const text of [kept, gateway.stdout, gateway.stderr])
      for (const secret of [twilio.auth_token, password, keys.portal, 'an-encryption-key-for-tests'])
        expect(text.includes(secret)).toBe(false);
    await gateway.stop();
  });
});
