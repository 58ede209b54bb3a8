import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acme, TestGateway } from '../support/gateway.ts';
import type { CallOptions, TestPhone, TestPhoneOptions } from '../support/test-phone.ts';

/** Calls from anywhere, with the password. */
const open = {
  id: 'open',
  name: 'Open',
  api_keys: ['sk_test_open_0123456789'],
  sip: { username: 'open', password: 'open-password' },
};
/** Calls only from where nobody here is. */
const elsewhere = {
  id: 'elsewhere',
  name: 'Elsewhere',
  api_keys: ['sk_test_else_0123456789'],
  sip: { username: 'elsewhere', password: 'else-password', allowed_ips: ['192.0.2.0/24'] },
};
const strict = {
  id: 'strict',
  name: 'Strict',
  api_keys: ['sk_test_strict_0123456789'],
  sip: { username: 'strict', password: 'strict-password', allowed_ips: ['127.0.0.1'], require_digest: true },
};
const small = {
  id: 'small',
  name: 'Small',
  api_keys: ['sk_test_small_0123456789'],
  sip: { allowed_ips: ['127.0.0.1'], concurrency_limit: 1 },
};

describe('admission', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    gateway = await TestGateway.start({ organizations: [acme, open, elsewhere, strict, small] });
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function phone(options: TestPhoneOptions = {}): Promise<TestPhone> {
    const made = await gateway.phone(options);
    phones.push(made);
    return made;
  }

  async function answerTo(uri: string, options: TestPhoneOptions = {}, call: CallOptions = {}) {
    const made = await (await phone(options)).call(uri, call);
    if (made.status === 200) await made.bye();
    return { status: made.status, code: made.headers.get('x-kallglot-error'), headers: made.headers };
  }

  const keyOf = (organization: { api_keys: string[] }) => organization.api_keys[0] as string;
  const uriOf = async (organization: { api_keys: string[] }, wishes = {}) =>
    gateway.uri(await gateway.session(wishes, keyOf(organization)));

  test('takes a call from an allowed address without a password', async () => {
    const uri = await uriOf(acme);
    expect(await answerTo(uri, { username: undefined, password: undefined })).toMatchObject({ status: 200 });
  });

  test('ignores a wrong password from an allowed address', async () => {
    const session = await uriOf(small);
    expect(await answerTo(session, { username: 'open', password: 'wrong' })).toMatchObject({ status: 200 });
  });

  test('asks for credentials where a session belongs to an organization that was not identified', async () => {
    const { status, headers } = await answerTo(await uriOf(open), {
      username: undefined,
      password: undefined,
    });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toMatch(
      /^Digest realm="sip\.kallglot\.com", nonce="[^"]+", algorithm=MD5, qop="auth"$/,
    );
    expect(headers.get('x-kallglot-error')).toBe('credentials_required');
  });

  test('does not say to a stranger what is wrong', async () => {
    const stranger = { host: '127.0.0.2', username: undefined, password: undefined };
    const asked = await answerTo(await uriOf(open), stranger);
    expect(asked).toMatchObject({ status: 401, code: undefined });
    const wrong = await answerTo(await uriOf(open), { ...stranger, username: 'open', password: 'wrong' });
    expect(wrong).toMatchObject({ status: 403, code: undefined });
    expect(wrong.headers.get('reason')).toBeUndefined();
  });

  test('takes a call with the right password', async () => {
    expect(await answerTo(await uriOf(open), { username: 'open', password: 'open-password' })).toMatchObject({
      status: 200,
    });
  });

  test('does not tell credentials of another organization that the session exists', async () => {
    const refused = await answerTo(await uriOf(open), { username: 'strict', password: 'strict-password' });
    const unknown = await answerTo(gateway.uri('sess_01ARZ3NDEKTSV4RRFFQ69G5FAV'));
    expect(refused).toMatchObject({ status: 404, code: 'session_not_found' });
    expect(unknown).toMatchObject({ status: 404, code: 'session_not_found' });
  });

  test('refuses the right password from an address that is not on the list', async () => {
    const refused = await answerTo(await uriOf(elsewhere), {
      username: 'elsewhere',
      password: 'else-password',
    });
    expect(refused).toMatchObject({ status: 403, code: 'ip_not_allowed' });
    expect(refused.headers.get('reason')).toMatch(/^Q\.850;cause=21;text="ip_not_allowed: /);
  });

  test('asks an allowed address for the password too where the trunk wants it', async () => {
    const uri = await uriOf(strict);
    expect(await answerTo(uri, { username: undefined, password: undefined })).toMatchObject({
      status: 401,
      code: 'credentials_required',
    });
    const wrong = await answerTo(uri, { username: 'strict', password: 'wrong' });
    expect(wrong).toMatchObject({ status: 403, code: 'credentials_invalid' });
    expect(wrong.headers.get('reason')).toMatch(/^Q\.850;cause=21;text="credentials_invalid: /);
    expect(await answerTo(uri, { username: 'strict', password: 'strict-password' })).toMatchObject({
      status: 200,
    });
  });

  test('refuses what is no session, a wrong role, an ended session, another telephony path', async () => {
    const id = await gateway.session();
    await gateway.rest('POST', `/v1/sessions/${id}/end`);
    const webrtc = await gateway.session({ routing: { type: 'webrtc' } });
    const host = gateway.sipAddress();
    expect(await answerTo(`sip:bob@${host}`)).toMatchObject({ status: 404, code: 'not_a_session' });
    expect(await answerTo(gateway.uri(id, { role: 'boss' }))).toMatchObject({
      status: 400,
      code: 'role_invalid',
    });
    expect(await answerTo(gateway.uri(id))).toMatchObject({ status: 410, code: 'session_ended' });
    expect(await answerTo(gateway.uri(webrtc))).toMatchObject({ status: 403, code: 'session_not_sip' });
  });

  test('reads the session id without regard to case, and the role from the user part as Asterisk sends it', async () => {
    const id = await gateway.session();
    const made = await (await phone()).call(`sip:${id.toLowerCase()};role=agent@${gateway.sipAddress()}`);
    expect(made.status).toBe(200);
    expect(await answerTo(gateway.uri(id, { role: 'agent' }))).toMatchObject({
      status: 486,
      code: 'role_taken',
    });
    await made.bye();
  });

  test('gives the first call of a session the customer role, the second the agent role, and a third none', async () => {
    const uri = await uriOf(acme);
    const [one, two] = [await (await phone()).call(uri), await (await phone()).call(uri)];
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(await answerTo(uri)).toMatchObject({ status: 486, code: 'role_taken' });
    await Promise.all([one.bye(), two.bye()]);
  });

  test('has no agent in a session with one leg', async () => {
    const id = await gateway.session({ mode: 'help_chat_voice' });
    const header = { headers: { 'X-Kallglot-Role': 'agent' } };
    expect(await answerTo(gateway.uri(id), {}, header)).toMatchObject({ status: 486, code: 'role_taken' });
    expect(await answerTo(gateway.uri(id))).toMatchObject({ status: 200 });
  });

  test('holds an organization to its limit of concurrent calls, and frees the place with the BYE', async () => {
    const caller = await phone({ username: undefined, password: undefined });
    const first = await caller.call(await uriOf(small));
    expect(first.status).toBe(200);
    expect(await answerTo(await uriOf(small))).toMatchObject({ status: 486, code: 'concurrency_limit' });
    await first.bye();
    expect(await answerTo(await uriOf(small))).toMatchObject({ status: 200 });
  });

  test('of 50 INVITEs at once for one role exactly one is answered 200', async () => {
    const uri = gateway.uri(await gateway.session(), { role: 'customer' });
    const callers = await Promise.all(Array.from({ length: 50 }, () => phone()));
    const calls = await Promise.all(callers.map((caller) => caller.call(uri)));
    const statuses = calls.map((call) => call.status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 486)).toHaveLength(49);
    await calls.find((call) => call.status === 200)?.bye();
  });

  test('refuses SDP that cannot be read with 400 and one without a common codec with 488, and says why', async () => {
    const invalid = await answerTo(await uriOf(acme), {}, { sdp: 'v=0\r\nnonsense\r\n' });
    expect(invalid).toMatchObject({ status: 400, code: 'sdp_invalid' });
    const g729 = (sdp: string) =>
      sdp.replace(/m=audio (\d+) RTP\/AVP .*/, 'm=audio $1 RTP/AVP 18').replace(/a=rtpmap.*\r\n/g, '');
    const uncommon = await answerTo(await uriOf(acme), {}, { sdp: g729 });
    expect(uncommon).toMatchObject({ status: 488, code: 'no_common_codec' });
    expect(uncommon.headers.get('warning')).toMatch(/^305 kallglot "/);
  });

  test('refuses required extensions with 420 and other bodies with 415', async () => {
    const uri = await uriOf(acme);
    const required = await answerTo(uri, {}, { headers: { Require: '100rel, replaces' } });
    expect([required.status, required.headers.get('unsupported')]).toEqual([420, 'replaces']);
    const typed = await answerTo(uri, {}, { headers: { 'Content-Type': 'text/plain' } });
    expect([typed.status, typed.headers.get('accept')]).toEqual([415, 'application/sdp, multipart/mixed']);
  });

  test('answers OPTIONS with what is there, and refuses other methods with 405, also in a call', async () => {
    const one = await phone();
    const options = await one.request('OPTIONS', `sip:${gateway.sipAddress()}`);
    expect(options.status).toBe(200);
    expect(options.headers.get('allow')).toBe(
      'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REGISTER',
    );
    expect(options.headers.get('supported')).toBe('100rel, timer');
    const refused = ['MESSAGE', 'SUBSCRIBE', 'PUBLISH', 'REFER', 'NOTIFY'];
    for (const method of [...refused, 'INFO']) {
      const { status, headers } = await one.request(method, `sip:${gateway.sipAddress()}`);
      expect([method, status, headers.get('allow')]).toEqual([method, 405, options.headers.get('allow')]);
    }
    expect((await one.request('UPDATE', `sip:${gateway.sipAddress()}`)).status).toBe(481);
    const call = await one.call(await uriOf(acme));
    for (const method of refused) {
      const { status, headers } = await call.request(method);
      expect([method, status, headers.get('allow')]).toEqual([method, 405, options.headers.get('allow')]);
    }
    expect((await call.bye()).status).toBe(200);
  });

  test('takes a REGISTER with its password, caps its time, lists its Contacts and lets them go', async () => {
    const pbx = await phone({ username: 'open', password: 'open-password' });
    const register = (headers: Record<string, string>) =>
      pbx.request('REGISTER', `sip:${gateway.sipAddress()}`, { headers, from: 'open' });
    const contact = '<sip:open@127.0.0.1:5099>';
    const bound = await register({ Contact: contact, Expires: '7200' });
    expect(bound.status).toBe(200);
    expect(bound.headers.get('contact')).toMatch(/<sip:open@127\.0\.0\.1:5099>;expires=3600/);
    const { body } = await gateway.rest('GET', '/v1/admin/registrations');
    expect(body.data).toMatchObject([
      { organization_id: 'open', contact: 'sip:open@127.0.0.1:5099', source_address: '127.0.0.1' },
    ]);
    const brief = await register({ Contact: contact, Expires: '30' });
    expect([brief.status, brief.headers.get('min-expires')]).toEqual([423, '60']);
    const gone = await register({ Contact: '*', Expires: '0' });
    expect([gone.status, gone.headers.get('contact')]).toEqual([200, undefined]);
    const wrong = await phone({ username: 'open', password: 'wrong' });
    expect((await wrong.request('REGISTER', `sip:${gateway.sipAddress()}`)).status).toBe(403);
  });

  test('lists refusals for the operator, newest first', async () => {
    await answerTo(`sip:nobody@${gateway.sipAddress()}`);
    const { body } = await gateway.rest('GET', '/v1/admin/refusals');
    expect(body.data[0]).toMatchObject({ code: 'not_a_session', status: 404, method: 'INVITE' });
  });
});

describe('digest with more than one algorithm', () => {
  test('offers each in a challenge of its own with one nonce, and takes an answer by any of them', async () => {
    const settings = { sip: { digest_algorithms: ['SHA-256', 'MD5'] } };
    const gateway = await TestGateway.start({ settings, organizations: [open] });
    const made: TestPhone[] = [];
    const call = async (options: TestPhoneOptions) => {
      const one = await gateway.phone({ username: 'open', password: 'open-password', ...options });
      made.push(one);
      return one.call(gateway.uri(await gateway.session({}, open.api_keys[0])));
    };
    const challenges = (await call({ username: undefined })).headers.all('www-authenticate');
    expect(challenges.map((one) => /algorithm=([^,]+)/.exec(one)?.[1])).toEqual(['SHA-256', 'MD5']);
    expect(new Set(challenges.map((one) => /nonce="([^"]+)"/.exec(one)?.[1])).size).toBe(1);
    for (const digestAlgorithm of ['SHA-256', 'MD5'] as const)
      expect((await call({ digestAlgorithm })).status).toBe(200);
    await Promise.all(made.map((one) => one.stop()));
    await gateway.stop();
  });
});
