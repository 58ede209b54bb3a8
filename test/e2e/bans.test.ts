import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import type { TestPhone, TestPhoneOptions } from '../support/test-phone.ts';

/** Calls from anywhere, with the password. */
const open = {
  id: 'open',
  name: 'Open',
  api_keys: ['sk_test_open_0123456789'],
  sip: { username: 'open', password: 'open-password' },
};
/** Lists an address that it shares with nobody. */
const listed = {
  id: 'listed',
  name: 'Listed',
  api_keys: ['sk_test_listed_0123456789'],
  sip: { username: 'listed', password: 'listed-password', allowed_ips: ['127.0.0.5'] },
};

describe('bans', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    const settings = { sip: { ban: { after: 3, within_seconds: 600, for_seconds: 600 } } };
    gateway = await TestGateway.start({ settings, organizations: [open, listed] });
  });
  afterEach(async () => {
    await Promise.all(phones.splice(0).map((phone) => phone.stop()));
  });
  afterAll(() => gateway.stop());

  /** Each from an address of its own, so that none is known by the calls of another. */
  async function phone(host: string, options: TestPhoneOptions = {}): Promise<TestPhone> {
    const made = await gateway.phone({ host, username: 'open', password: 'open-password', ...options });
    phones.push(made);
    return made;
  }
  const uriOf = async ({ api_keys }: { api_keys: string[] }) =>
    gateway.uri(await gateway.session({}, api_keys[0]));
  const bans = async () => (await gateway.rest('GET', '/v1/admin/bans')).body.data;

  test('an address that guesses passwords is met with silence until the operator lifts its ban', async () => {
    const uri = await uriOf(open);
    const guesser = await phone('127.0.0.2', { password: 'guess', t1Ms: 20 });
    for (let i = 0; i < 3; i++) expect((await guesser.call(uri)).status).toBe(403);
    await expect(guesser.call(uri)).rejects.toThrow('no final answer');
    expect(await gateway.metric('kallglot_bans_total')).toBe(1);
    expect(await bans()).toMatchObject([{ address: '127.0.0.2', cause: 'wrong_credentials', count: 3 }]);
    // Nobody else is touched.
    const other = await (await phone('127.0.0.3')).call(uri);
    expect(other.status).toBe(200);
    await other.bye();
    expect((await gateway.rest('DELETE', '/v1/admin/bans/127.0.0.2')).status).toBe(200);
    expect(await bans()).toEqual([]);
    expect((await guesser.call(uri)).status).toBe(403);
    expect((await gateway.rest('DELETE', '/v1/admin/bans/127.0.0.2')).status).toBe(404);
  });

  test('an address that is banned by hand hears nothing, but in the call that it has', async () => {
    const caller = await phone('127.0.0.4', { t1Ms: 50 });
    const call = await caller.call(await uriOf(open));
    expect(call.status).toBe(200);
    const banned = await gateway.rest('POST', '/v1/admin/bans', { address: '127.0.0.4', seconds: 600 });
    expect(banned.status).toBe(201);
    const uri = await uriOf(open);
    await expect(caller.request('OPTIONS', uri)).rejects.toThrow('no final answer');
    expect((await call.reinvite()).status).toBe(200);
    expect((await call.bye()).status).toBe(200);
    await gateway.rest('DELETE', '/v1/admin/bans/127.0.0.4');
    expect((await caller.request('OPTIONS', uri)).status).toBe(200);
  });

  test('an address that one organization lists cannot guess the password of another, and its calls go on', async () => {
    const registered = async (password: string) => {
      const guesser = await phone('127.0.0.5', { password });
      return (await guesser.request('REGISTER', `sip:${gateway.sipAddress()}`)).status;
    };
    for (let i = 0; i < 3; i++) expect(await registered('guess')).toBe(403);
    expect(await bans()).toMatchObject([{ address: '127.0.0.5', cause: 'wrong_credentials' }]);
    expect(await registered('open-password')).toBe(403);
    const call = await (await phone('127.0.0.5', { username: undefined })).call(await uriOf(listed));
    expect(call.status).toBe(200);
    await call.bye();
    const own = await phone('127.0.0.5', { username: 'listed', password: 'listed-password' });
    expect((await own.request('REGISTER', `sip:${gateway.sipAddress()}`)).status).toBe(200);
    await gateway.rest('DELETE', '/v1/admin/bans/127.0.0.5');
    expect(await registered('open-password')).toBe(200);
  });
});
