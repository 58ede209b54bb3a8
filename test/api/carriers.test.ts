import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { streamInstructions } from '../../src/api/call-instructions.ts';
import { StoreUnavailable } from '../../src/errors.ts';
import type { SessionId } from '../../src/ids.ts';
import { Sealer } from '../../src/sealing.ts';
import { verifyToken } from '../../src/session-token.ts';
import { RecentRefusals } from '../../src/telemetry/recent-refusals.ts';
import { CarrierAccounts } from '../../src/telephony/carrier-accounts.ts';
import { Connections } from '../../src/telephony/connections.ts';
import { Numbers } from '../../src/telephony/numbers.ts';
import { Trunks } from '../../src/telephony/trunks.ts';
import { addEndpoint } from '../store/rows.ts';
import {
  documentedCall,
  type Fields,
  type SignedForm,
  signedByTwilio,
  telnyxAccount,
} from '../support/carrier-webhook.ts';
import { noRateLimit } from '../support/gateway.ts';
import { type ApiFixture, openApi } from './api-fixture.ts';

const publicUrl = 'https://gateway.example:8443/front';
const managed = '+14155550100';
const reject = (reason: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Reject reason="${reason}"/></Response>\n`;

describe('the voice webhooks of carriers', () => {
  let fixture: ApiFixture;
  let connections: Connections;
  let numbers: Numbers;
  let numberId: string;
  let trunks: Trunks;
  const refusals = new RecentRefusals();
  const operator = telnyxAccount();
  const state: { unavailable: 'draining' | 'overloaded' | undefined; calls: number } = {
    ...{ unavailable: undefined, calls: 0 },
  };

  beforeEach(async () => {
    Object.assign(state, { unavailable: undefined, calls: 0 });
    fixture = await openApi({
      rateLimit: { ...noRateLimit, failed_authentications_per_minute: 20 },
      parts: ({ store, clock }) => {
        const now = () => clock.now();
        trunks = new Trunks(store);
        numbers = new Numbers(store, [{ phone_number: managed, carrier: 'twilio' }], now);
        const verify = async () => ({ status: 'verified' as const, detail: null });
        connections = new Connections({ store, sealer: new Sealer('a key'), verify, now });
        const accounts = new CarrierAccounts({
          ...{ store, now, open: (row) => connections.open(row) },
          operator: { twilioAuthToken: 'operator-token', telnyxPublicKey: operator.publicKey },
        });
        const trunkOf = (id: string) => trunks.ofOrganization(id);
        const unavailable = () => state.unavailable;
        return {
          refusals,
          carriers: { accounts, trunkOf, unavailable, publicUrl, callsOf: () => state.calls },
        };
      },
    });
    await trunks.reload();
    await addEndpoint(fixture.store);
    numberId = (await numbers.buy('acme', managed)).id;
  });
  afterEach(() => fixture.close());

  const post = (carrier: string, { payload, headers }: SignedForm, query = '') =>
    fixture.api.inject({ method: 'POST', url: `/v1/carriers/${carrier}/voice${query}`, payload, headers });
  const twilio = (own: Fields = {}, token = 'operator-token', query = '') => {
    const url = `${publicUrl}/v1/carriers/twilio/voice${query}`;
    return post('twilio', signedByTwilio(url, documentedCall('twilio', own), token), query);
  };
  const ownTwilio = (organization = 'acme', token = 'acme-token') =>
    connections.add(organization, {
      ...{ provider: 'twilio', auth_token: token },
      account_sid: 'AC0123456789abcdef0123456789abcdef',
    });
  /** The answer's parameters, whose token is good for its session. */
  async function streamed(answer: Awaited<ReturnType<typeof post>>) {
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'text/xml; charset=utf-8']);
    const parameters = [...answer.body.matchAll(/<Parameter name="(\w+)" value="([^"]*)"\/>/g)];
    const { token = '', ...shown } = Object.fromEntries(parameters.map(([, name, value]) => [name, value]));
    const id = shown.session_id as SessionId;
    expect(answer.body).toContain(`<Stream url="wss://api.kallglot.com/v1/sessions/${id}/connect"`);
    expect(verifyToken('s', token.slice('kst_live_'.length), fixture.clock.now())).toBe(id);
    const { role, from, to } = shown;
    return { token, role, from, to, session: await fixture.sessions.find(id) };
  }
  const events = () => fixture.store.db.selectFrom('events').select(['type', 'session_id']).execute();

  test('stream a call to a managed number into a session of its organization', async () => {
    const { session, role, from, to } = await streamed(await twilio());
    expect([from, to]).toEqual(['+16175551212', managed]);
    expect([session, role]).toEqual([
      expect.objectContaining({
        organizationId: 'acme',
        status: 'created',
        mode: 'bidirectional_translation',
        provider: 'twilio',
        phoneNumber: managed,
        connectionId: null,
        routing: { phone_number: managed, direction: 'inbound' },
      }),
      'customer',
    ]);
    expect(await events()).toEqual([{ type: 'session.created', session_id: session?.id }]);
    const shown = (await fixture.request('GET', `/v1/sessions/${session?.id}`)).json();
    expect(shown).toMatchObject({ provider: 'twilio', phone_number: managed });
    expect(shown).not.toHaveProperty('sip');
    expect(shown.stream.url).toContain(session?.id);
  });

  test('give the same call its session again, with a token that is fresh, however often they come', async () => {
    const first = await Promise.all([twilio(), twilio(), twilio()]);
    const ids = await Promise.all(first.map(async (answer) => (await streamed(answer)).session?.id));
    expect(new Set(ids).size).toBe(1);
    fixture.state.skewMs = 600_000;
    expect((await streamed(await twilio())).session?.id).toBe(ids[0]);
    const other = await streamed(await twilio({ CallSid: 'CA-another' }));
    expect(other.session?.id).not.toBe(ids[0]);
    expect(await events()).toHaveLength(2);
  });

  test('take the defaults of the number over those of the organization', async () => {
    const defaults = { mode: 'assistive_translation', source_language: 'en', mix_original_db: -20 };
    await fixture.store.write((transaction) =>
      transaction
        .updateTable('organizations')
        .set({ sip_session_defaults: JSON.stringify(defaults) })
        .where('id', '=', 'acme')
        .execute(),
    );
    await trunks.reload();
    await numbers.setDefaults('acme', numberId, { source_language: 'de', metadata: { desk: 7 } });
    expect((await streamed(await twilio())).session).toMatchObject({
      mode: 'assistive_translation',
      sourceLanguage: 'de',
      targetLanguage: null,
      mixOriginalDb: -20,
      metadata: { desk: 7 },
    });
  });

  test('know the account of an organization by its number, or by the connection that the address names', async () => {
    const own = await ownTwilio();
    const second = await ownTwilio('other', 'other-token');
    await connections.update('other', second.id, { session_defaults: { mode: 'ai_agent' } });
    const call = { To: '+442071234567' };
    expect((await streamed(await twilio(call, 'acme-token'))).session).toMatchObject({
      organizationId: 'acme',
      ...{ connectionId: own.id, phoneNumber: call.To, mode: 'bidirectional_translation' },
      routing: { phone_number: call.To, connection_id: own.id, direction: 'inbound' },
    });
    expect((await streamed(await twilio(call, 'other-token'))).session?.organizationId).toBe('other');
    const named = `?connection_id=${second.id}`;
    const { session } = await streamed(await twilio({ ...call, CallSid: 'CA2' }, 'other-token', named));
    expect(session).toMatchObject({ organizationId: 'other', connectionId: second.id, mode: 'ai_agent' });
    expect((await twilio(call, 'acme-token', named)).statusCode).toBe(403);
    await connections.setActive('acme', own.id, false);
    expect((await twilio(call, 'acme-token')).statusCode).toBe(403);
    await fixture.store.write((transaction) =>
      transaction
        .updateTable('connections')
        .set({ status: 'rejected' })
        .where('id', '=', second.id)
        .execute(),
    );
    expect((await twilio(call, 'other-token')).statusCode).toBe(403);
  });

  test('are signed by the key of a Telnyx account', async () => {
    const account = telnyxAccount();
    const { id } = await connections.add('acme', { provider: 'telnyx', api_key: 'KEY0123456789' });
    const signed = account.signed(documentedCall('telnyx'), fixture.clock.now());
    const query = `?connection_id=${id}`;
    expect((await post('telnyx', signed, query)).statusCode).toBe(403);
    await connections.update('acme', id, { public_key: account.publicKey });
    const answer = await post('telnyx', signed, query);
    expect(answer.body).toContain('codec="PCMU" bidirectionalMode="rtp" bidirectionalCodec="PCMU"');
    const { session } = await streamed(answer);
    expect(session).toMatchObject({ provider: 'telnyx', connectionId: id, phoneNumber: '+13129457420' });
    fixture.state.skewMs = 301_000;
    expect((await post('telnyx', signed, query)).statusCode).toBe(403);
    // The operator's account is good for managed numbers alone.
    const byOperator = operator.signed(documentedCall('telnyx'), fixture.clock.now());
    expect((await post('telnyx', byOperator)).body).toBe(reject('rejected'));
  });

  test('bring a call into the session that the address names, as the party that it names', async () => {
    await ownTwilio();
    const { id } = (await fixture.create()).json();
    const call = { From: '+442071234567', To: '+16175551212', Direction: 'outbound-api' };
    const as = (query: string) => twilio(call, 'acme-token', query);
    const { session, role } = await streamed(await as(`?session_id=${id}&role=agent`));
    expect([session?.id, session?.provider, role]).toEqual([id, 'sip', 'agent']);
    expect((await as(`?session_id=${id}&role=boss`)).body).toBe(reject('rejected'));
    expect((await as('?session_id=sess_nonsense')).body).toBe(reject('rejected'));
    await ownTwilio('other', 'other-token');
    expect((await twilio(call, 'other-token', `?session_id=${id}`)).body).toBe(reject('rejected'));
    const solo = (await fixture.create({ mode: 'ai_agent', routing: { type: 'webrtc' } })).json();
    expect((await as(`?session_id=${solo.id}&role=agent`)).body).toBe(reject('busy'));
    const own = await streamed(await as(''));
    expect(own.session?.routing).toMatchObject({ phone_number: '+442071234567', direction: 'outbound' });
    expect(
      refusals
        .list()
        .map(({ code }) => code)
        .slice(0, 4),
    ).toEqual(['role_taken', 'session_not_found', 'session_not_found', 'role_invalid']);
  });

  test.each<[string, number, 'rejected' | 'busy', () => unknown]>([
    ['phone_number_not_found', 200, 'rejected', () => numbers.setActive('acme', numberId, false)],
    ['organization_inactive', 200, 'rejected', () => deactivate()],
    ['concurrency_limit', 200, 'busy', () => Object.assign(state, { calls: 100 })],
    ['draining', 503, 'busy', () => Object.assign(state, { unavailable: 'draining' })],
    ['overloaded', 503, 'busy', () => Object.assign(state, { unavailable: 'overloaded' })],
    ['session_ended', 200, 'rejected', () => endTheCall()],
    ['store_unavailable', 503, 'busy', () => loseTheStore()],
  ])('refuse a call as its carrier understands it: %s', async (code, status, reason, prepare) => {
    await prepare();
    const answer = await twilio();
    expect([answer.statusCode, answer.body]).toEqual([status, reject(reason)]);
    expect(answer.headers['retry-after'] !== undefined).toBe(status === 503);
    expect(refusals.list()[0]).toMatchObject({
      ...{ code, called: managed, call_id: documentedCall('twilio').CallSid },
      method: 'POST /v1/carriers/twilio/voice',
    });
    expect(JSON.stringify(refusals.list()[0])).not.toContain('+16175551212');
  });
  async function deactivate() {
    const change = { active: 0 };
    await fixture.store.write((transaction) =>
      transaction.updateTable('organizations').set(change).where('id', '=', 'acme').execute(),
    );
    await trunks.reload();
  }
  const loseTheStore = () =>
    vi.spyOn(fixture.sessions, 'ofCarrierCall').mockRejectedValue(new StoreUnavailable(new Error('gone')));
  async function endTheCall() {
    const { session } = await streamed(await twilio());
    await fixture.sessions.apply(session?.id as SessionId, { type: 'ended', at: 1, reason: 'completed' });
  }

  test('tell one who is not recognized nothing, whatever is called', async () => {
    const { payload, headers } = signedByTwilio(publicUrl, documentedCall('twilio'), 'operator-token');
    for (const answer of [
      await twilio({}, 'wrong-token'),
      await twilio({ To: '+19999999999' }, 'wrong-token'),
      await twilio({ AccountSid: 'AC-of-nobody' }, 'wrong-token'),
      await post('twilio', { payload, headers }),
      await post('twilio', { payload, headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
      await post('twilio', { payload: '{"To":"x"}', headers: { 'content-type': 'application/json' } }),
    ])
      expect([answer.statusCode, answer.body]).toEqual([403, reject('rejected')]);
    expect(await events()).toEqual([]);
    const { code, detail } = refusals.list()[3] ?? {};
    const address = `${publicUrl}/v1/carriers/twilio/voice`;
    expect([code, detail]).toEqual(['signature_invalid', `account AC-of-nobody, called at ${address}`]);
    const metrics = (await fixture.api.inject('/metrics')).body;
    expect(metrics).toContain('kallglot_refusals_total{code="signature_invalid"} 6');
    expect(metrics).toContain('kallglot_carrier_webhooks_total{carrier="twilio",outcome="refused"} 6');
  });

  test('stop looking at what a source sends that signs wrongly, but not at those who were known there', async () => {
    await streamed(await twilio());
    for (let i = 0; i < 20; i++) expect((await twilio({}, 'x')).statusCode).toBe(403);
    const stranger = { AccountSid: 'AC-of-nobody' };
    for (let i = 0; i < 20; i++) await twilio(stranger, 'x');
    const answer = await twilio(stranger, 'x');
    expect([answer.statusCode, answer.json().error.code]).toEqual([429, 'rate_limit_exceeded']);
    await streamed(await twilio());
  });

  test('write down what is signed but is no call', async () => {
    expect((await twilio({ CallSid: '' })).statusCode).toBe(400);
    expect(refusals.list()[0]?.detail).toContain('TeXML');
    expect((await twilio({ CallSid: 'x'.repeat(201) })).statusCode).toBe(400);
    expect((await twilio({ CallerName: 'x'.repeat(20_000) })).statusCode).toBe(413);
  });
});

test('the instructions of a call escape what stands in them', () => {
  const stream = {
    url: 'wss://a/?b=1&c="<\'>',
    token: 't',
    sessionId: 'sess_1',
    role: 'agent' as const,
    from: '"O\'Brien" <x>\0\x1b\ud800',
    to: '+1',
  };
  expect(streamInstructions('twilio', stream)).toBe(
    `<?xml version="1.0" encoding="UTF-8"?>
<Response><Connect><Stream url="wss://a/?b=1&amp;c=&quot;&lt;&apos;&gt;"><Parameter name="token" value="t"/><Parameter name="session_id" value="sess_1"/><Parameter name="role" value="agent"/><Parameter name="from" value="&quot;O&apos;Brien&quot; &lt;x&gt;\ufffd"/><Parameter name="to" value="+1"/></Stream></Connect></Response>
`,
  );
});
