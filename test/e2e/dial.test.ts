import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseChallenge } from '../support/digest-client.ts';
import { encode } from '../support/g711.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import type { IncomingCall } from '../support/incoming-call.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';
import { Receiver } from '../webhooks/receiver.ts';

const speech = readWav(speechFile).subarray(0, 16_000);
const ALICE = 'sk_test_alice_0123456789';

/** Speaks at one end, and looks for it at the other. */
async function heardFrom(speaker: PhoneCall, listener: PhoneCall) {
  const { startedAt } = await speaker.media.play(speech);
  await new Promise((resolve) => setTimeout(resolve, 800));
  return compareHeard(encode('PCMU', speech), listener.media.heard, { playedAt: startedAt });
}

describe.each(['udp', 'tcp'] as const)('a call out, over %s', (transport) => {
  let gateway: TestGateway;
  /** The carrier and PBX of the organization. */
  let callee: TestPhone;
  let receiver: Receiver;
  const phones: TestPhone[] = [];
  /** INVITEs that have come, the latest last. */
  let invites: IncomingCall[] = [];
  let onInvite: (incoming: IncomingCall) => void | Promise<void>;

  beforeAll(async () => {
    receiver = await Receiver.start();
    callee = await new TestPhone({ username: 'callee', transport }).start();
    callee.answer((incoming) => {
      invites.push(incoming);
      return onInvite(incoming);
    });
    const outbound = {
      ...{
        host: '127.0.0.1',
        port: callee.port,
        transport,
        username: 'trunk-user',
        password: 'trunk-password',
      },
      ...{ caller_id: '+14155550100', allowed_numbers: ['+49', '!+49900'], allowed_domains: ['127.0.0.1'] },
    };
    gateway = await TestGateway.start({
      settings: {
        webhooks: { allow_private: true },
        pipeline: { embedded: { behaviour: 'relay' } },
        store: { encryption_key: 'an-encryption-key-for-tests' },
      },
      organizations: [
        { ...acme, sip: { ...acme.sip, outbound } },
        { id: 'alice', name: 'Alice', api_keys: [ALICE], sip: {} },
      ],
    });
    await gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
  });
  beforeEach(() => {
    invites = [];
    onInvite = async (incoming) => void (await incoming.accept());
  });
  afterAll(async () => {
    await Promise.all([...phones, callee].map((phone) => phone.stop()));
    await gateway.stop();
    await receiver.stop();
  });

  const by = transport === 'udp' ? '' : ';transport=tcp';
  const address = () => `127.0.0.1:${callee.port}`;
  const agent = () => `sip:agent@${address()}${by}`;
  const dial = (id: string, body: object, key?: string) =>
    gateway.rest('POST', `/v1/sessions/${id}/dial`, body, key);
  const callsOf = async (id: string) => (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data;
  const eventsOf = (id: string) =>
    receiver.received.filter(({ body }) => body.data.session_id === id).map(({ body }) => body);
  /** The call that the phone has taken. */
  const accepted: PhoneCall[] = [];
  const acceptAndKeep = async (incoming: IncomingCall) => void accepted.push(await incoming.accept());
  const ended = async (id: string) => {
    await eventually('the leg has ended', async () => (await callsOf(id))[0]?.status === 'ended');
    return (await callsOf(id))[0];
  };

  test('is answered 202 at once, rings, is answered, and is a leg like any other', async () => {
    const answering = Promise.withResolvers<void>();
    onInvite = async (incoming) => {
      incoming.ring();
      await answering.promise;
      await acceptAndKeep(incoming);
    };
    const id = await gateway.session({
      routing: {
        type: 'sip',
        sip: { headers: { 'X-Queue': '7', 'x-ticket': 'old', 'X-Kallglot-Fake': 'x' } },
      },
    });
    const { status, body } = await dial(id, { to: agent(), role: 'agent', headers: { 'X-Ticket': '42' } });
    expect([status, body]).toEqual([
      202,
      expect.objectContaining({
        ...{ object: 'call', session_id: id, status: 'setting_up', role: 'agent', direction: 'outbound' },
        ...{ progress: 'dialing', sip_status: null, to: agent(), from: 'sip:+14155550100@127.0.0.1' },
        ...{ transport, codec: null, answered_at: null, ended_at: null, reason: null },
      }),
    ]);
    await eventually('it rings', async () => (await callsOf(id))[0]?.progress === 'ringing');
    expect((await callsOf(id))[0]).toMatchObject({ id: body.id, status: 'setting_up', sip_status: 180 });
    answering.resolve();
    await eventually('it is up', async () => (await callsOf(id))[0]?.status === 'up');
    const up = (await callsOf(id))[0];
    expect(up).toMatchObject({ progress: null, sip_status: 200, codec: 'PCMU', source_address: '127.0.0.1' });

    const { headers, uri } = invites[0]!.invite;
    expect(uri).toBe(agent());
    expect(headers.get('call-id')).toBe(body.sip_call_id);
    expect(headers.get('from')).toMatch(/^<sip:\+14155550100@127\.0\.0\.1>;tag=/);
    expect(headers.get('to')).toBe('<sip:agent@127.0.0.1>');
    expect([headers.get('x-queue'), headers.get('x-ticket')]).toEqual(['7', '42']);
    expect(headers.get('x-kallglot-fake')).toBeUndefined();

    const call = accepted.at(-1)!;
    expect((await call.options()).status).toBe(200);
    expect((await call.reinvite({ direction: 'sendonly' })).status).toBe(200);
    await call.bye();
    const record = await ended(id);
    expect(record).toMatchObject({ reason: 'hangup', sip_status: 200, direction: 'outbound' });
    await eventually('all is told', () => eventsOf(id).length === 3);
    const [ringing, connected, disconnected] = eventsOf(id);
    const leg = {
      id: body.id,
      role: 'agent',
      direction: 'outbound',
      to: agent(),
      sip_call_id: body.sip_call_id,
    };
    expect(ringing).toMatchObject({
      type: 'session.dial.ringing',
      data: { provider: 'sip', leg, sip_status: 180, ringing_at: expect.any(String) },
    });
    expect(connected).toMatchObject({ type: 'session.provider.connected', data: { leg } });
    expect(disconnected).toMatchObject({
      type: 'session.provider.disconnected',
      data: { leg, reason: 'hangup' },
    });
    expect(await gateway.metric('kallglot_dials_total{outcome="answered"}')).toBeGreaterThan(0);
  });

  test('joins the party that is there, and both hear each other', async () => {
    onInvite = acceptAndKeep;
    const phone = await gateway.phone({ transport });
    phones.push(phone);
    const id = await gateway.session();
    const customer = await phone.call(gateway.uri(id, { transport }));
    expect(customer.status).toBe(200);
    const { status, body } = await dial(id, { to: agent(), wait: true });
    expect([status, body.status, body.role, body.sip_status]).toEqual([200, 'up', 'agent', 200]);
    const dialed = accepted.at(-1)!;
    expect((await heardFrom(customer, dialed)).speechMatched).toBe(1);
    expect((await heardFrom(dialed, customer)).speechMatched).toBe(1);
    expect((await dial(id, { to: agent() })).body.error.code).toBe('role_taken');
    await gateway.rest('POST', `/v1/sessions/${id}/end`);
    expect((await dialed.ended).reasonHeader).toMatch(/text="session_ended: /);
    await customer.ended;
    expect((await dial(id, { to: agent() })).body.error.code).toBe('session_ended');
  });

  test.each([
    [486, 'Busy Here'],
    [603, 'Decline'],
    [404, 'Not Found'],
    [503, 'Service Unavailable'],
  ])(
    'that is refused with %i fails with 502 and that status, and the role is free again',
    async (status, reason) => {
      onInvite = (incoming) => incoming.reject(status, reason);
      const id = await gateway.session();
      const answer = await dial(id, { to: agent(), role: 'customer', wait: true });
      const [record] = await callsOf(id);
      expect([answer.status, answer.body.error]).toEqual([
        502,
        expect.objectContaining({
          ...{
            type: 'api_error',
            code: 'dial_failed',
            leg_id: record.id,
            reason: 'dial_failed',
            sip_status: status,
          },
        }),
      ]);
      expect(record).toMatchObject({
        status: 'ended',
        reason: 'dial_failed',
        sip_status: status,
        answered_at: null,
      });
      await eventually('it is told', () => eventsOf(id).length === 1);
      expect(eventsOf(id)[0]).toMatchObject({
        type: 'session.dial.failed',
        data: {
          leg: { id: record.id },
          reason: 'dial_failed',
          sip_status: status,
          failed_at: expect.any(String),
        },
      });
      onInvite = acceptAndKeep;
      expect((await dial(id, { to: agent(), role: 'customer', wait: true })).status).toBe(200);
      await accepted.at(-1)!.bye();
    },
  );

  test('is not forwarded by a 302, wherever that leads', async () => {
    const contact = `<sip:+49900123@127.0.0.1:${callee.port}${by}>`;
    onInvite = (incoming) => incoming.reject(302, 'Moved Temporarily', { Contact: contact });
    const id = await gateway.session();
    const answer = await dial(id, { to: agent(), wait: true });
    expect([answer.status, answer.body.error.sip_status]).toEqual([502, 302]);
    expect(invites).toHaveLength(1);
  });

  test('to a number goes through the trunk, which asks for the password', async () => {
    const challenge = 'Digest realm="carrier", nonce="n-1", qop="auth", algorithm=MD5';
    onInvite = async (incoming) => {
      if (incoming.invite.headers.get('proxy-authorization') !== undefined) return acceptAndKeep(incoming);
      incoming.reject(407, 'Proxy Authentication Required', { 'Proxy-Authenticate': challenge });
    };
    const id = await gateway.session();
    const { status, body } = await dial(id, { to: '+49 (30) 1234567', wait: true });
    expect([status, body.status]).toEqual([200, 'up']);
    const [first, second] = invites.map(({ invite }) => invite);
    expect(second?.uri).toBe(`sip:+49301234567@127.0.0.1:${callee.port}${by}`);
    expect(second?.headers.get('call-id')).toBe(first?.headers.get('call-id'));
    expect(second?.headers.get('from')).toBe(first?.headers.get('from'));
    expect(second?.headers.get('p-asserted-identity')).toBe('<sip:+14155550100@127.0.0.1>');
    const given = second!.headers.get('proxy-authorization')!;
    const field = (name: string) => new RegExp(`[ ,]${name}="?([^",]*)`).exec(given)?.[1];
    expect(parseChallenge(given)).toMatchObject({ realm: 'carrier', nonce: 'n-1' });
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    const [ha1, ha2] = [md5('trunk-user:carrier:trunk-password'), md5(`INVITE:${second!.uri}`)];
    expect(field('username')).toBe('trunk-user');
    expect(field('response')).toBe(md5(`${ha1}:n-1:${field('nc')}:${field('cnonce')}:auth:${ha2}`));
    await accepted.at(-1)!.bye();
  });

  test('with a wrong password fails with the status of the challenge, and is tried no third time', async () => {
    const challenge = 'Digest realm="carrier", nonce="n-1", qop="auth"';
    onInvite = (incoming) => incoming.reject(401, 'Unauthorized', { 'WWW-Authenticate': challenge });
    const id = await gateway.session();
    const answer = await dial(id, { to: '+49301234567', wait: true });
    expect([answer.status, answer.body.error.sip_status, invites.length]).toEqual([502, 401, 2]);
  });

  test('asks for a session timer, and for a longer one where the callee wants that, after a challenge too', async () => {
    const challenge = 'Digest realm="carrier", nonce="n-1", qop="auth"';
    onInvite = async (incoming) => {
      const { headers } = incoming.invite;
      if (headers.get('proxy-authorization') === undefined)
        incoming.reject(407, 'Proxy Authentication Required', { 'Proxy-Authenticate': challenge });
      else if (Number(headers.get('session-expires')) < 3600)
        incoming.reject(422, 'Session Interval Too Small', { 'Min-SE': '3600' });
      else {
        const agreed = { Require: 'timer', 'Session-Expires': '3600;refresher=uac' };
        accepted.push(await incoming.accept({ headers: agreed }));
      }
    };
    const id = await gateway.session();
    const { status, body } = await dial(id, { to: '+49301234567', wait: true });
    expect([status, body.status]).toEqual([200, 'up']);
    const asked = invites.map(({ invite: { headers } }) => headers);
    expect(asked.map((headers) => headers.get('session-expires'))).toEqual(['1800', '1800', '3600']);
    expect(asked.at(-1)?.get('min-se')).toBe('3600');
    expect(new Set(asked.map((headers) => headers.get('call-id'))).size).toBe(1);
    expect(new Set(asked.map((headers) => headers.get('from'))).size).toBe(1);
    const first = Number.parseInt(asked[0]!.get('cseq')!, 10);
    expect(asked.map((headers) => headers.get('cseq'))).toEqual(
      [0, 1, 2].map((more) => `${first + more} INVITE`),
    );
    await accepted.at(-1)!.bye();
  });

  test('to another peer than the trunk answers no challenge', async () => {
    const stranger = await new TestPhone({ username: 'stranger', transport }).start();
    phones.push(stranger);
    let seen = 0;
    stranger.answer((incoming) => {
      seen++;
      incoming.reject(401, 'Unauthorized', { 'WWW-Authenticate': 'Digest realm="carrier", nonce="n"' });
    });
    const id = await gateway.session();
    const answer = await dial(id, { to: `sip:x@127.0.0.1:${stranger.port}${by}`, wait: true });
    expect([answer.status, answer.body.error.sip_status, seen]).toEqual([502, 401, 1]);
  });

  test('that nobody takes is taken back when its time is over', async () => {
    onInvite = (incoming) => incoming.ring();
    const id = await gateway.session();
    const answer = await dial(id, { to: agent(), ring_seconds: 5, wait: true });
    expect([answer.status, answer.body.error.reason, answer.body.error.sip_status]).toEqual([
      502,
      'dial_failed',
      408,
    ]);
    await invites[0]!.canceled;
  });

  test('that is hung up while it rings is taken back', async () => {
    onInvite = (incoming) => incoming.ring();
    const id = await gateway.session();
    await dial(id, { to: agent() });
    await eventually('it rings', async () => (await callsOf(id))[0]?.progress === 'ringing');
    const { body } = await gateway.rest('POST', `/v1/sessions/${id}/hangup`, {});
    expect(body.data[0]).toMatchObject({ status: 'ended', reason: 'canceled' });
    await invites[0]!.canceled;
    await eventually('it is told', () => eventsOf(id).length === 2);
    expect(eventsOf(id)[1]).toMatchObject({ type: 'session.dial.failed', data: { reason: 'canceled' } });
  });

  test('that rings while its session is ended is taken back, and the party that is there is hung up', async () => {
    onInvite = (incoming) => incoming.ring();
    const id = await gateway.session();
    const phone = await gateway.phone();
    phones.push(phone);
    const customer = await phone.call(gateway.uri(id, { role: 'customer' }));
    await dial(id, { to: agent(), role: 'agent' });
    await eventually('it rings', async () => (await callsOf(id))[1]?.progress === 'ringing');
    expect((await gateway.rest('POST', `/v1/sessions/${id}/end`)).status).toBe(200);
    await invites[0]!.canceled;
    expect((await customer.ended).reasonHeader).toMatch(/text="session_ended: /);
    await eventually('both are recorded', async () =>
      (await callsOf(id)).every(({ reason }: { reason: string }) => reason === 'session_ended'),
    );
  });

  test('that is hung up before the callee has said anything is taken back with its first word', async () => {
    const speaking = Promise.withResolvers<void>();
    onInvite = async (incoming) => {
      await speaking.promise;
      incoming.ring();
    };
    const id = await gateway.session();
    await dial(id, { to: agent() });
    await eventually('the INVITE has come', () => invites.length === 1);
    await gateway.rest('POST', `/v1/sessions/${id}/hangup`, {});
    speaking.resolve();
    await invites[0]!.canceled;
    expect(await ended(id)).toMatchObject({ reason: 'canceled' });
  });

  test('that is hung up after it was challenged is taken back by its second INVITE', async () => {
    const speaking = Promise.withResolvers<void>();
    onInvite = async (incoming) => {
      if (incoming.invite.headers.get('proxy-authorization') === undefined) {
        incoming.reject(407, 'Challenge', { 'Proxy-Authenticate': 'Digest realm="carrier", nonce="n"' });
        return;
      }
      await speaking.promise;
      incoming.ring();
    };
    const id = await gateway.session();
    await dial(id, { to: '+49301234567' });
    await eventually('the second INVITE has come', () => invites.length === 2);
    await gateway.rest('POST', `/v1/sessions/${id}/hangup`, {});
    speaking.resolve();
    await invites[1]!.canceled;
    expect(await ended(id)).toMatchObject({ reason: 'canceled' });
  });

  test('whose answer crosses the CANCEL is hung up at once', async () => {
    onInvite = (incoming) => {
      incoming.ignoresCancel = true;
      incoming.ring();
    };
    const id = await gateway.session();
    await dial(id, { to: agent() });
    await eventually('it rings', async () => (await callsOf(id))[0]?.progress === 'ringing');
    await gateway.rest('POST', `/v1/sessions/${id}/hangup`, {});
    await invites[0]!.canceled;
    const call = await invites[0]!.accept();
    expect(await call.ended).toMatchObject({
      by: 'remote',
      reasonHeader: expect.stringMatching(/"canceled: /),
    });
    expect(await ended(id)).toMatchObject({ reason: 'canceled', answered_at: null });
  });

  test('is answered by the 200, whatever early media said before', async () => {
    const elsewhere = [
      ...['v=0', 'o=- 9 9 IN IP4 127.0.0.9', 's=-', 'c=IN IP4 127.0.0.9', 't=0 0'],
      ...['m=audio 4002 RTP/AVP 8', ''],
    ].join('\r\n');
    onInvite = async (incoming) => {
      incoming.ring(183, 'Session Progress', elsewhere);
      await acceptAndKeep(incoming);
    };
    const id = await gateway.session({ mode: 'bidirectional_translation' });
    const phone = await gateway.phone({ transport });
    phones.push(phone);
    const customer = await phone.call(gateway.uri(id, { transport }));
    const { body } = await dial(id, { to: agent(), wait: true });
    expect(body).toMatchObject({ status: 'up', codec: 'PCMU' });
    expect((await heardFrom(customer, accepted.at(-1)!)).speechMatched).toBe(1);
    await gateway.rest('POST', `/v1/sessions/${id}/end`);
  });

  test('may get its SDP answer with a reliable provisional one; an UPDATE before the 200 is answered', async () => {
    const pcma = [
      ...['v=0', 'o=- 9 9 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'],
      ...['m=audio 4002 RTP/AVP 8', ''],
    ].join('\r\n');
    const updates: number[] = [];
    onInvite = async (incoming) => {
      const prack = await incoming.ringReliably(pcma);
      expect(prack.headers.get('rack')).toMatch(/^1 \d+ INVITE$/);
      updates.push(
        (await incoming.request('UPDATE')).status,
        (await incoming.request('UPDATE', pcma)).status,
      );
      accepted.push(await incoming.accept({ sdp: '' }));
    };
    const id = await gateway.session();
    const { status, body } = await dial(id, { to: agent(), wait: true });
    expect([status, body.status, body.codec, updates]).toEqual([200, 'up', 'PCMA', [200, 500]]);
    await accepted.at(-1)!.bye();
  });

  test('whose answer has no codec of ours is hung up, and fails with 488', async () => {
    let answered: PhoneCall | undefined;
    const g729 = [
      ...['v=0', 'o=- 9 9 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'],
      ...['m=audio 4002 RTP/AVP 18', ''],
    ].join('\r\n');
    onInvite = async (incoming) => {
      answered = await incoming.accept({ sdp: g729 });
    };
    const id = await gateway.session();
    const answer = await dial(id, { to: agent(), wait: true });
    expect([answer.status, answer.body.error.sip_status]).toEqual([502, 488]);
    expect((await answered!.ended).reasonHeader).toMatch(/text="dial_failed: /);
  });

  test('is allowed only where the organization has set that up', async () => {
    const id = await gateway.session();
    const codes = async (to: string) => (await dial(id, { to })).body.error?.code;
    expect(await codes('+14155550123')).toBe('destination_not_allowed');
    expect(await codes('+4990012345')).toBe('destination_not_allowed');
    expect(await codes(`sip:+4990012345@${address()}`)).toBe('destination_not_allowed');
    expect(await codes('sip:a@192.0.2.1')).toBe('destination_not_allowed');
    expect(await codes(`sip:x@${gateway.sipAddress(transport)}`)).toBe('destination_not_allowed');
    expect(await codes(`sip:${id}@sip.kallglot.com`)).toBe('destination_not_allowed');
    const theirs = await gateway.session({}, ALICE);
    const denied = await dial(theirs, { to: agent() }, ALICE);
    expect([denied.status, denied.body.error.type, denied.body.error.param]).toEqual([
      403,
      'permission_error',
      'to',
    ]);
    const missing = await dial(theirs, { to: '+49301234567' }, ALICE);
    expect([missing.status, missing.body.error.code]).toEqual([422, 'outbound_trunk_missing']);
    expect((await dial(id, { to: agent() }, ALICE)).status).toBe(404);
    expect([invites.length, await callsOf(id)]).toEqual([0, []]);
  });
});

describe('a gateway that calls out', () => {
  const running: { stop(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });

  async function start(
    host: string,
    onInvite: (incoming: IncomingCall) => void | Promise<void>,
    settings = {},
  ) {
    const callee = await new TestPhone({ host, username: 'callee' }).start();
    running.push(callee);
    callee.answer(onInvite);
    const name = host.includes(':') ? `[${host}]` : host;
    const organizations = [{ ...acme, sip: { ...acme.sip, outbound: { allowed_domains: [name] } } }];
    const gateway = await TestGateway.start({ organizations, settings });
    running.push(gateway);
    return { gateway, organizations, to: `sip:agent@${name}:${callee.port}` };
  }

  test('and stops takes back a call that rings, and tells why it ended', async () => {
    const ringing = Promise.withResolvers<IncomingCall>();
    const { gateway, organizations, to } = await start('127.0.0.1', (incoming) => {
      incoming.ring();
      ringing.resolve(incoming);
    });
    const id = await gateway.session();
    const waiting = gateway.rest('POST', `/v1/sessions/${id}/dial`, { to, wait: true });
    const incoming = await ringing.promise;
    await gateway.stop({ keepStore: true });
    expect((await waiting).body.error).toMatchObject({ code: 'dial_failed', reason: 'drained' });
    await incoming.canceled;
    const again = await TestGateway.start({ organizations, folder: gateway.folder });
    running.push(again);
    const { body } = await again.rest('GET', `/v1/sessions/${id}/calls`);
    expect(body.data).toMatchObject([{ status: 'ended', reason: 'drained', direction: 'outbound' }]);
  });

  test('calls over IPv6', async () => {
    const answered = Promise.withResolvers<PhoneCall>();
    const settings = { sip: { listen: ['udp:[::1]:0'] }, media: { address: '::1' } };
    const { gateway, to } = await start(
      '::1',
      async (incoming) => answered.resolve(await incoming.accept()),
      settings,
    );
    const id = await gateway.session({ mode: 'ai_agent' });
    const { status, body } = await gateway.rest('POST', `/v1/sessions/${id}/dial`, { to, wait: true });
    expect([status, body.to, body.source_address]).toEqual([200, to, '::1']);
    const call = await answered.promise;
    expect((await heardFrom(call, call)).speechMatched).toBe(1);
  });
});
