import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { documentedCall, type Fields, signedByTwilio, telnyxAccount } from '../support/carrier-webhook.ts';
import { FakeCarrier } from '../support/fake-carrier.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { eventually } from '../support/gateway.ts';
import type { StreamClient, StreamMessage } from '../support/stream-client.ts';
import { connectTelnyx, connectTwilio, type StreamAddress } from '../support/stream-kinds.ts';
import { translateTone } from '../support/tones.ts';
import { speech, TwoParties } from '../support/two-parties.ts';

type Carrier = 'twilio' | 'telnyx';
/** How carriers reach the gateway; a proxy stands in between. */
const publicUrl = 'https://gateway.example';
const managed = { twilio: '+14155550100', telnyx: '+13129457420' };
const own = { twilio: '+442071234567', telnyx: '+35312345678' };
const tokens = { operator: 'operator-token', acme: 'acme-auth-token' };
const connect = { twilio: connectTwilio, telnyx: connectTelnyx };

describe('a call that a carrier sends', () => {
  let house: TwoParties;
  let carrierApi: FakeCarrier;
  const telnyx = { operator: telnyxAccount(), acme: telnyxAccount() };
  /** What the console of each carrier has as the webhook of a number. */
  const voiceUrls = {
    ...{ twilio: '', telnyx: '' },
    managed: {
      twilio: `${publicUrl}/v1/carriers/twilio/voice`,
      telnyx: `${publicUrl}/v1/carriers/telnyx/voice`,
    },
  };
  const connections = { twilio: '', telnyx: '' };
  const clients: StreamClient[] = [];
  let calls = 0;

  const rest = (method: string, path: string, body?: unknown) => house.gateway.rest(method, path, body);

  beforeAll(async () => {
    carrierApi = await FakeCarrier.start();
    house = await TwoParties.start(await FakePipeline.start({ translates: translateTone }), {
      api: { public_url: publicUrl },
      session: { rejoin_seconds: 0 },
      store: { encryption_key: 'an-encryption-key-for-tests' },
      telephony: {
        ...{ twilio_url: carrierApi.url, telnyx_url: carrierApi.url },
        ...{ twilio_auth_token: tokens.operator, telnyx_public_key: telnyx.operator.publicKey },
        inventory: [
          { phone_number: managed.twilio, carrier: 'twilio' },
          { phone_number: managed.telnyx, carrier: 'telnyx' },
        ],
      },
    });
    for (const phone_number of Object.values(managed))
      await rest('POST', '/v1/telephony/numbers', { phone_number });
    const credentials = {
      twilio: { account_sid: `AC${'0123456789abcdef'.repeat(2)}`, auth_token: tokens.acme },
      telnyx: { api_key: 'KEY0123456789', public_key: telnyx.acme.publicKey },
    };
    for (const provider of ['twilio', 'telnyx'] as const) {
      const { body } = await rest('POST', '/v1/telephony/connections', {
        provider,
        ...credentials[provider],
      });
      [connections[provider], voiceUrls[provider]] = [body.id, body.voice_url];
    }
  });
  afterAll(async () => {
    await house.stop();
    await carrierApi.stop();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    await eventually(
      'nobody is left',
      async () => (await house.gateway.metric('kallglot_calls_active')) === 0,
    );
  });

  /** A carrier asks what to do with a call, and is told. @returns what it is told to stream, and with which parameters */
  async function ask(carrier: Carrier, account: 'operator' | 'acme', url: string, fields: Fields) {
    const call = documentedCall(carrier, { CallSid: `call-${++calls}`, ...fields });
    const { payload, headers } =
      carrier === 'twilio'
        ? signedByTwilio(url, call, tokens[account])
        : telnyx[account].signed(call, Date.now());
    const address = url.replace(publicUrl, house.gateway.gateway.apiUrl);
    const answer = await fetch(address, { method: 'POST', body: payload, headers });
    const xml = await answer.text();
    expect([answer.status, xml]).toEqual([200, expect.stringContaining('<Connect><Stream ')]);
    const parameters = [...xml.matchAll(/<Parameter name="(\w+)" value="([^"]*)"\/>/g)];
    const { token = '', ...others } = Object.fromEntries(parameters.map(([, name, value]) => [name, value]));
    return { stream: { url: /url="([^"]*)"/.exec(xml)?.[1] ?? '', token }, parameters: others };
  }

  /** The carrier streams the call, whose party speaks. */
  async function stream(
    carrier: Carrier,
    { stream: { url, token }, parameters }: { stream: StreamAddress; parameters: Record<string, string> },
    role: keyof typeof speech,
  ): Promise<StreamClient> {
    const here = url.replace(
      publicUrl.replace('http', 'ws'),
      house.gateway.gateway.apiUrl.replace('http', 'ws'),
    );
    const { from, to } = parameters;
    // Telnyx tells them by itself.
    const start = (message: StreamMessage) => ({ ...message, start: { ...message.start, from, to } });
    const options = { parameters, ...(carrier === 'telnyx' && { start }) };
    const client = await connect[carrier]({ url: here, token }, options);
    clients.push(client);
    client.media.play(speech[role]);
    return client;
  }

  async function hearEachOther(customer: StreamClient, agent: StreamClient) {
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
  }

  test.each<[string, Carrier, 'operator' | 'acme']>([
    ['a managed number at Twilio', 'twilio', 'operator'],
    ['a managed number at Telnyx', 'telnyx', 'operator'],
    ['a Twilio connection', 'twilio', 'acme'],
    ['a Telnyx connection', 'telnyx', 'acme'],
  ])(
    'to %s and one that the organization places to the agent hear each other translated',
    async (_, carrier, account) => {
      const isManaged = account === 'operator';
      const to = (isManaged ? managed : own)[carrier];
      const url = isManaged ? voiceUrls.managed[carrier] : voiceUrls[carrier];
      const told = await ask(carrier, account, url, { To: to });
      const id = told.parameters.session_id as string;
      const customer = await stream(carrier, told, 'customer');
      const placed = { From: own.twilio, To: '+16175550199', Direction: 'outbound-api' };
      const calledUrl = `${voiceUrls.twilio}&session_id=${id}&role=agent`;
      const agent = await stream('twilio', await ask('twilio', 'acme', calledUrl, placed), 'agent');
      await hearEachOther(customer, agent);

      const session = (await rest('GET', `/v1/sessions/${id}`)).body;
      expect(session).toMatchObject({ provider: carrier, phone_number: to, status: 'active' });
      expect(session.stream.url).toBe(`wss://gateway.example/v1/sessions/${id}/connect`);
      const shown = (await rest('GET', `/v1/sessions/${id}/calls`)).body.data;
      expect(shown.map(({ role, to: called }: Fields) => [role, called])).toEqual([
        ['customer', to],
        ['agent', '+16175550199'],
      ]);
      const dial = await rest('POST', `/v1/sessions/${id}/dial`, { to: '+16175550199' });
      expect([dial.status, dial.body.error.code]).toEqual([409, 'session_not_sip']);
    },
  );

  test.each<[Carrier, 'managed number' | 'own connection']>([
    ['twilio', 'managed number'],
    ['telnyx', 'managed number'],
    ['twilio', 'own connection'],
    ['telnyx', 'own connection'],
  ])(
    'is heard in a session that POST made, where one answers the webhook oneself: %s, %s',
    async (carrier, path) => {
      const routing =
        path === 'managed number'
          ? { phone_number: managed[carrier] }
          : { connection_id: connections[carrier] };
      const { status, body } = await rest('POST', '/v1/sessions', { mode: 'ai_agent', routing });
      expect([status, body.provider]).toEqual([201, carrier]);
      const caller = await stream(carrier, { stream: body.stream, parameters: {} }, 'customer');
      await house.hears(caller, 'customer translated');
    },
  );
});
