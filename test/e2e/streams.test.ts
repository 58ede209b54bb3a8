import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Role } from '../../src/roles.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { encode } from '../support/g711.ts';
import { eventually } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { ENOUGH } from '../support/speaking.ts';
import type { StreamClient, UpgradeRefused } from '../support/stream-client.ts';
import {
  connectKallglot,
  connectTelnyx,
  connectTwilio,
  type StreamAddress,
} from '../support/stream-kinds.ts';
import { translateTone, voicesSince } from '../support/tones.ts';
import { type Hearer, speech, TwoParties } from '../support/two-parties.ts';
import { readWav, speechFile } from '../support/wav.ts';
import { Receiver } from '../webhooks/receiver.ts';

/** 2 s of speech. */
const words = readWav(speechFile).subarray(0, 16_000);

/** A session as `POST` answers it. */
interface Made {
  id: string;
  stream: StreamAddress;
}

describe('parties that come by WebSocket', () => {
  let house: TwoParties;
  const clients: StreamClient[] = [];
  const calls: PhoneCall[] = [];
  const running: { stop(): Promise<unknown> }[] = [];

  beforeAll(async () => {
    house = await TwoParties.start(await FakePipeline.start(), {
      session: { rejoin_seconds: 0 },
      webhooks: { allow_private: true },
    });
  });
  afterAll(() => house.stop());
  beforeEach(() => {
    house.pipeline.behaviour = { translates: translateTone };
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.terminate();
    for (const one of running.splice(0)) await one.stop();
    for (const call of calls.splice(0)) if (call.isUp) await call.bye();
    await eventually(
      'nobody is left',
      async () => (await house.gateway.metric('kallglot_calls_active')) === 0,
    );
  });

  async function session(wishes: Record<string, unknown> = {}): Promise<Made> {
    const wanted = { mode: 'bidirectional_translation', routing: { type: 'sip' }, ...wishes };
    const { status, body } = await house.gateway.rest('POST', '/v1/sessions', wanted);
    expect(status).toBe(201);
    return { ...body, stream: house.gateway.streamOf(body) };
  }
  const get = async (id: string) => (await house.gateway.rest('GET', `/v1/sessions/${id}`)).body;
  const legs = async (id: string) => (await house.gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data;
  const keep = <T extends StreamClient>(client: T): T => {
    clients.push(client);
    return client;
  };
  const refused = (promise: Promise<StreamClient>) =>
    promise.then(
      (client) => Promise.reject(new Error(`it was taken: ${keep(client).isOpen}`)),
      (error: UpgradeRefused) => ({ status: error.status, code: error.body.error?.code }),
    );

  /** Ways in which a party may come; it speaks from then on. */
  const ways: Record<string, (made: Made, role: Role) => Promise<Hearer>> = {
    SIP: async ({ id }, role) => {
      const call = await house.call(id, role);
      calls.push(call);
      return call;
    },
    browser: async ({ stream }, role) => {
      const client = keep(await connectKallglot(stream, role));
      await client.typed('session.ready');
      client.media.play(speech[role]);
      return client;
    },
    Twilio: async ({ id, stream }, role) => {
      const client = keep(await connectTwilio(stream, { parameters: { session_id: id, role } }));
      client.media.play(speech[role]);
      return client;
    },
    Telnyx: async ({ id, stream }, role) => {
      const client = keep(await connectTelnyx(stream, { parameters: { session_id: id, role } }));
      client.media.play(speech[role]);
      return client;
    },
  };
  /** Says something. @returns how much of it was heard, from 0 to 1 */
  async function heardOf(samples: Int16Array, from: Hearer, to: Hearer): Promise<number> {
    const begin = to.media.heard.length;
    void from.media.play(samples);
    const sent = encode('PCMU', samples);
    let matched = 0;
    const deadline = performance.now() + samples.length / 8 + 2000;
    while (matched <= ENOUGH && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      matched = compareHeard(sent, to.media.heard.slice(begin)).speechMatched;
    }
    return matched;
  }
  /** A machine that stands still spoils what is said meanwhile: then it is said again. */
  async function best(attempt: () => Promise<number>): Promise<number> {
    let most = 0;
    for (let tries = 0; tries < 5 && most <= ENOUGH; tries++) most = Math.max(most, await attempt());
    return most;
  }
  const come = (way: string, made: Made, role: Role) => (ways[way] as (typeof ways)[string])(made, role);

  test.each([
    ['browser', 'browser'],
    ['SIP', 'Twilio'],
    ['SIP', 'browser'],
    ['SIP', 'Telnyx'],
    ['Twilio', 'Telnyx'],
    ['Telnyx', 'browser'],
  ])(
    'a %s customer and a %s agent each hear the other translated, and never themselves',
    async (one, other) => {
      const made = await session({ routing: { type: one === 'SIP' ? 'sip' : 'webrtc' } });
      const customer = await come(one, made, 'customer');
      const agent = await come(other, made, 'agent');
      await house.hears(customer, 'agent translated');
      await house.hears(agent, 'customer translated');
      expect(voicesSince(customer.media.heard)).toEqual(['agent translated']);
      expect(voicesSince(agent.media.heard)).toEqual(['customer translated']);
    },
  );

  test.each(['Twilio', 'browser', 'Telnyx'])(
    'an assisted %s agent hears the SIP customer as it is, who hears the translation',
    async (way) => {
      const made = await session({ mode: 'assistive_translation' });
      const customer = await come('SIP', made, 'customer');
      const agent = await come(way, made, 'agent');
      await house.hears(agent, 'customer');
      await house.hears(customer, 'agent translated');
    },
  );

  test.each(['Twilio', 'browser'])('an assisted SIP agent hears a %s customer as it is', async (way) => {
    const made = await session({ mode: 'assistive_translation' });
    const customer = await come(way, made, 'customer');
    const agent = await come('SIP', made, 'agent');
    await house.hears(agent, 'customer');
    await house.hears(customer, 'agent translated');
  });

  test.each(['ai_agent', 'help_chat_voice'])('in mode %s a client need not name its role', async (mode) => {
    const made = await session({ mode, routing: { type: 'webrtc' } });
    const client = keep(await connectKallglot(made.stream, 'customer', { named: false }));
    await client.typed('session.ready');
    client.media.play(speech.customer);
    await house.hears(client, 'customer translated');
  });

  test('the original is heard under its translation where the session wants it', async () => {
    const made = await session({ mix_original_db: -20 });
    const agent = await come('Twilio', made, 'agent');
    await come('SIP', made, 'customer');
    await house.hears(agent, 'customer', 'customer translated');
  });

  test.each([
    ['SIP', 'Twilio', 'assistive_translation'],
    ['Twilio', 'browser', 'assistive_translation'],
    ['browser', 'SIP', 'bidirectional_translation'],
    ['Telnyx', 'browser', 'bidirectional_translation'],
  ])('what a %s customer says comes whole to a %s agent, %s', async (one, other, mode) => {
    house.pipeline.behaviour = { translates: (_speaker, audio) => audio };
    const made = await session({ mode, routing: { type: one === 'Telnyx' ? 'webrtc' : 'sip' } });
    const customer = await come(one, made, 'customer');
    const agent = await come(other, made, 'agent');
    await house.hears(agent, 'customer');
    customer.media.stop();
    await house.hears(agent);
    expect(await best(() => heardOf(words, customer, agent))).toBeGreaterThan(ENOUGH);
  });

  test('while the pipeline is lost the parties hear each other', async () => {
    const made = await session();
    const customer = await come('SIP', made, 'customer');
    const agent = await come('browser', made, 'agent');
    await house.hears(agent, 'customer translated');
    await house.pipeline.kill();
    await house.hears(agent, 'customer');
    await house.hears(customer, 'agent');
    await house.pipeline.restart();
    await house.hears(agent, 'customer translated');
    await house.hears(customer, 'agent translated');
  });

  test('a carrier that was cut off for a while hears what is said now, not what was said meanwhile', async () => {
    const made = await session({ mode: 'assistive_translation' });
    await come('SIP', made, 'customer');
    const agent = (await come('Twilio', made, 'agent')) as StreamClient;
    await house.hears(agent, 'customer');
    const pings = new Promise((resolve) => agent.socket.once('ping', resolve));
    await pings;
    agent.socket.pause();
    const dropped = () => house.gateway.metric('kallglot_stream_dropped_ms_total');
    const before = await dropped();
    await eventually('a second is dropped', async () => (await dropped()) > before + 1000);
    agent.socket.resume();
    await agent.message(({ event }) => event === 'clear');
    await house.hears(agent, 'customer');
  });

  test('a server speaks for both parties on one socket: two legs, told apart by their speaker', async () => {
    const made = await session({ routing: { type: 'webrtc' } });
    const server = keep(await connectKallglot(made.stream, 'customer', { named: false }));
    await server.typed('session.ready');
    const agent = keep(await connectKallglot(made.stream, 'agent', { named: false }));
    expect(await legs(made.id)).toEqual([]);
    server.media.play(speech.customer);
    await eventually('the customer has a leg', async () => (await legs(made.id)).length === 1);
    // What the first client says of the other party, on the same socket.
    const audio = {
      encoding: 'mulaw',
      sample_rate_hz: 8000,
      payload: Buffer.alloc(800, 0xff).toString('base64'),
    };
    server.send({ type: 'audio.input', sequence: 1, speaker: 'agent', audio });
    await eventually('both have one', async () => (await legs(made.id)).length === 2);
    await eventually('the agent hears', () => server.outputs.some(({ speaker }) => speaker === 'customer'));
    agent.send({ type: 'audio.input', sequence: 1, speaker: 'agent', audio });
    expect(await agent.typed('session.error')).toMatchObject({ code: 'role_taken' });
    expect(agent.isOpen).toBe(true);
  });

  test('is told what is understood, answered a ping, and ends the session for everybody', async () => {
    const made = await session();
    const customer = await come('SIP', made, 'customer');
    const agent = (await come('browser', made, 'agent')) as StreamClient;
    const reader = keep(await connectKallglot(made.stream, 'customer', { named: false }));
    agent.send({ type: 'ping' });
    expect(await agent.typed('pong')).toEqual({ type: 'pong', session_id: made.id });
    const connection = house.pipeline.connections.at(-1);
    connection?.send({ type: 'transcript.partial', speaker: 'customer', text: 'Good' });
    connection?.send({
      type: 'transcript.final',
      speaker: 'customer',
      text: 'Good day.',
      translation: 'Bom dia.',
    });
    for (const client of [agent, reader]) {
      expect(await client.typed('transcript.partial')).toMatchObject({ speaker: 'customer', text: 'Good' });
      expect(await client.typed('transcript.final')).toMatchObject({ translation: { text: 'Bom dia.' } });
    }
    agent.send({ type: 'session.end' });
    for (const client of [agent, reader]) {
      const ended = { type: 'session.ended', session_id: made.id, reason: 'explicit_end' };
      expect(await client.typed('session.ended')).toEqual(ended);
      expect((await client.closed).code).toBe(1000);
    }
    expect((await (customer as PhoneCall).ended).by).toBe('remote');
    expect((await get(made.id)).status).toBe('ended');
  });

  test('a carrier and a browser are told when the session is ended by REST', async () => {
    const made = await session({ routing: { type: 'webrtc' } });
    const customer = (await come('Twilio', made, 'customer')) as StreamClient;
    const agent = (await come('browser', made, 'agent')) as StreamClient;
    await house.gateway.rest('POST', `/v1/sessions/${made.id}/end`);
    expect((await agent.typed('session.ended')).reason).toBe('completed');
    expect([(await agent.closed).code, (await customer.closed).code]).toEqual([1000, 1000]);
  });

  test('keys that carriers tell of are told, and so is what carried a leg, in records and in events', async () => {
    const receiver = await Receiver.start();
    running.push(receiver);
    const events = ['session.provider.connected', 'session.provider.disconnected', 'session.dtmf'];
    await house.gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events });
    const made = await session({ routing: { type: 'webrtc' } });
    const customer = (await come('Telnyx', made, 'customer')) as StreamClient;
    const agent = (await come('Twilio', made, 'agent')) as StreamClient;
    await house.hears(agent, 'customer translated');
    customer.send({ event: 'dtmf', stream_id: 'x', dtmf: { digit: '5' } });
    agent.send({ event: 'dtmf', streamSid: 'x', dtmf: { track: 'inbound_track', digit: '#' } });
    await eventually('both count', async () =>
      (await legs(made.id)).every(({ dtmf }: { dtmf: { received: number } }) => dtmf.received === 1),
    );
    customer.send({ event: 'stop', stop: {} });
    expect((await customer.closed).code).toBe(1000);
    agent.socket.terminate();
    await eventually('both are recorded', async () =>
      (await legs(made.id)).every(({ status }: { status: string }) => status === 'ended'),
    );
    const records = await legs(made.id);
    expect(records).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          provider: 'telnyx',
          role: 'customer',
          reason: 'hangup',
          from: '+13122010094',
        }),
        expect.objectContaining({
          provider: 'twilio',
          role: 'agent',
          reason: 'stream_lost',
          transport: 'ws',
        }),
      ]),
    );
    for (const { quality } of records) expect(quality.packets_received).toBeGreaterThan(0);
    const ofSession = () => receiver.received.filter(({ body }) => body.data.session_id === made.id);
    await eventually('all is told', () => ofSession().length === 6);
    const told = ofSession().map(({ body: { type, data } }) => [
      type,
      data.provider,
      data.digit ?? data.reason,
    ]);
    expect(told).toEqual(
      expect.arrayContaining([
        ['session.provider.connected', 'telnyx', undefined],
        ['session.provider.connected', 'twilio', undefined],
        ['session.dtmf', 'telnyx', '5'],
        ['session.dtmf', 'twilio', '#'],
        ['session.provider.disconnected', 'telnyx', 'hangup'],
        ['session.provider.disconnected', 'twilio', 'stream_lost'],
      ]),
    );
  });

  describe('who may not come', () => {
    test.each([
      ['no token of ours', 'x', 401, 'invalid_token'],
      ['a token that somebody else has signed', 'kst_test_a.b', 401, 'invalid_token'],
    ])('%s', async (_what, token, status, code) => {
      const { stream } = await session();
      expect(await refused(connectKallglot({ ...stream, token }, 'agent'))).toEqual({ status, code });
    });

    test('one with an old token, one of another session, and one whose session has ended', async () => {
      const [one, other] = [await session(), await session()];
      const stolen = refused(connectKallglot({ ...one.stream, token: other.stream.token }, 'agent'));
      expect(await stolen).toEqual({ status: 401, code: 'invalid_token' });
      await house.gateway.rest('POST', `/v1/sessions/${one.id}/end`);
      expect(await refused(connectKallglot(one.stream, 'agent'))).toEqual({
        status: 409,
        code: 'session_ended',
      });
    });

    test('one who wants a role that is none, or that the mode does not have, or that is held', async () => {
      const made = await session();
      const odd = refused(connectKallglot(made.stream, 'boss' as Role));
      expect(await odd).toEqual({ status: 422, code: 'role_invalid' });
      await come('browser', made, 'agent');
      expect(await refused(connectKallglot(made.stream, 'agent'))).toEqual({
        status: 409,
        code: 'role_taken',
      });
      const alone = await session({ mode: 'ai_agent' });
      expect(await refused(connectKallglot(alone.stream, 'agent'))).toEqual({
        status: 409,
        code: 'role_taken',
      });
      const third = keep(await connectTwilio(made.stream, { parameters: { role: 'agent' } }));
      expect(await third.closed).toEqual({ code: 4409, reason: 'role_taken' });
    });

    test('a carrier without a good token, for another session, in an odd role or codec', async () => {
      const [one, other] = [await session(), await session()];
      const bad: [Promise<StreamClient>, number][] = [
        [connectTwilio({ ...one.stream, token: 'x' }), 4401],
        [connectTwilio(one.stream, { parameters: { session_id: other.id } }), 4401],
        [connectTelnyx({ ...one.stream, token: other.stream.token }), 4401],
        [connectTelnyx(one.stream, { parameters: { role: 'boss' } }), 4422],
        [connectTelnyx(one.stream, { start: (message) => ({ ...message, start: {} }) }), 4422],
      ];
      for (const [opening, code] of bad) expect((await keep(await opening).closed).code).toBe(code);
      expect(await legs(one.id)).toEqual([]);
    });

    test('one that is no carrier and shows no token', async () => {
      const { stream } = await session();
      const client = keep(await connectTwilio(stream, { start: () => ({ type: 'ping' }) }));
      expect(await client.typed('session.error')).toMatchObject({ code: 'invalid_message' });
      expect((await client.closed).code).toBe(4422);
    });

    test('an eleventh client of a session; strangers do not count', async () => {
      const { stream } = await session();
      const strangers = await Promise.all(
        Array.from({ length: 12 }, () => connectTwilio(stream, { start: () => ({ event: 'connected' }) })),
      );
      clients.push(...strangers);
      const readers = Array.from({ length: 10 }, () => connectKallglot(stream, 'agent', { named: false }));
      clients.push(...(await Promise.all(readers)));
      const one = refused(connectKallglot(stream, 'agent'));
      expect(await one).toEqual({ status: 409, code: 'too_many_clients' });
      const carrier = keep(await connectTwilio(stream));
      expect(await carrier.closed).toEqual({ code: 4409, reason: 'too_many_clients' });
    });

    test('a plain request for the address of a stream is a request like any other', async () => {
      const { id } = await session();
      expect((await house.gateway.rest('GET', `/v1/sessions/${id}/connect`)).status).toBe(404);
    });
  });

  describe('what a client does wrong costs it alone', () => {
    test('bad base64, wrong formats, unknown messages and nonsense: it is told, and stays', async () => {
      const made = await session({ routing: { type: 'webrtc' } });
      const agent = (await come('browser', made, 'agent')) as StreamClient;
      const customer = (await come('Telnyx', made, 'customer')) as StreamClient;
      const audio = { encoding: 'mulaw', sample_rate_hz: 8000, payload: 'not base64!' };
      agent.send({ type: 'audio.input', sequence: 1e6, speaker: 'agent', audio });
      expect(await agent.typed('session.error')).toMatchObject({ code: 'invalid_audio_format' });
      agent.send('nonsense');
      agent.send({ type: 'mute' });
      await agent.message(({ code }) => code === 'invalid_message');
      customer.send({ event: 'media', media: { track: 'inbound', chunk: '9999999', payload: '%%%' } });
      customer.send({ event: 'media', media: null });
      customer.send('[');
      customer.send({ event: 'video' });
      customer.socket.send(Buffer.from([1, 2, 3]));
      await house.hears(customer, 'agent translated');
      await house.hears(agent, 'customer translated');
      expect([agent.isOpen, customer.isOpen]).toEqual([true, true]);
    });

    test('5 MB in a message: 1009, and the others go on', async () => {
      const made = await session();
      const customer = await come('SIP', made, 'customer');
      const agent = (await come('browser', made, 'agent')) as StreamClient;
      const other = await come('browser', await session(), 'agent');
      agent.send({ type: 'audio.input', audio: { payload: 'A'.repeat(5_000_000) } });
      expect((await agent.closed).code).toBe(1009);
      await house.hears(customer);
      expect((other as StreamClient).isOpen).toBe(true);
    });

    test('a flood of messages: it is told, and closed', async () => {
      const { stream } = await session();
      const client = keep(await connectKallglot(stream, 'agent', { named: false }));
      for (let i = 0; i < 5000; i++) client.send({ type: 'ping' });
      expect(await client.closed).toEqual({ code: 4429, reason: 'rate_limit_exceeded' });
    });

    test('a client that never reads is lost, and the other party goes on', async () => {
      const made = await session();
      const customer = (await come('SIP', made, 'customer')) as PhoneCall;
      const agent = (await come('browser', made, 'agent')) as StreamClient;
      await house.hears(customer, 'agent translated');
      agent.socket.pause();
      // More than the buffers of two sockets hold.
      const text = 'x'.repeat(19_000);
      const connection = house.pipeline.connections.at(-1);
      for (let i = 0; i < 1500; i++)
        connection?.send({ type: 'transcript.partial', speaker: 'customer', text });
      await eventually('it is given up', async () =>
        (await legs(made.id)).some(({ reason }: { reason: string | null }) => reason === 'stream_lost'),
      );
      await house.hears(customer);
      expect(customer.isUp).toBe(true);
    });

    test('a carrier that closes in mid-word: its leg ends, and the other party stays', async () => {
      const made = await session();
      const customer = await come('SIP', made, 'customer');
      const agent = (await come('Twilio', made, 'agent')) as StreamClient;
      await house.hears(customer, 'agent translated');
      await agent.close();
      await house.hears(customer);
      const [ended] = (await legs(made.id)).filter(({ role }: { role: string }) => role === 'agent');
      expect(ended).toMatchObject({ provider: 'twilio', reason: 'hangup' });
      expect((customer as PhoneCall).isUp).toBe(true);
    });

    test('a client that lost its connection comes back with its token', async () => {
      const made = await session();
      await come('SIP', made, 'customer');
      const lost = (await come('browser', made, 'agent')) as StreamClient;
      await lost.close();
      const back = await come('browser', made, 'agent');
      await house.hears(back, 'customer translated');
    });
  });
});

test('a gateway that stops tells its clients', async () => {
  const house = await TwoParties.start(await FakePipeline.start({ translates: translateTone }));
  const wanted = { mode: 'bidirectional_translation', routing: { type: 'webrtc' } };
  const { body } = await house.gateway.rest('POST', '/v1/sessions', wanted);
  const stream = house.gateway.streamOf(body);
  const agent = await connectKallglot(stream, 'agent');
  const reader = await connectKallglot(stream, 'customer', { named: false });
  const customer = await connectTwilio(stream, { parameters: { role: 'customer' } });
  await agent.typed('session.ready');
  customer.media.play(speech.customer);
  await house.hears(agent, 'customer translated');
  await house.stop();
  for (const client of [agent, reader]) {
    expect(await client.typed('session.ended')).toMatchObject({ reason: 'drained' });
    expect((await client.closed).code).toBe(1001);
  }
  expect((await customer.closed).code).toBe(1001);
});
