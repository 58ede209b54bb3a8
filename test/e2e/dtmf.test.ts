import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { HeardPacket } from '../support/rtp-packet.ts';
import { TestPhone, type TestPhoneOptions } from '../support/test-phone.ts';
import { Receiver } from '../webhooks/receiver.ts';

const RELAY = 'application/dtmf-relay';
const EVENT = 101;
const KEYS = '0123456789*#ABCD';
const withoutEvents = (sdp: string): string =>
  sdp.replace(/^(m=audio .*) 101\r$/m, '$1\r').replace(/^a=(rtpmap|fmtp):101 .*\r\n/gm, '');

/** The keys in the packets that a phone has heard: each press by its timestamp, with what is wrong with its packets. */
function keysIn(heard: readonly HeardPacket[]) {
  const presses = Map.groupBy(
    heard.filter(({ pt }) => pt === EVENT),
    ({ timestamp }) => timestamp,
  );
  return [...presses.values()].map((packets) => {
    const durations = packets.map(({ payload }) => (payload[2]! << 8) | payload[3]!);
    return {
      key: KEYS[packets[0]!.payload[0]!],
      durationMs: durations.at(-1)! / 8,
      markers: packets.filter(({ marker }) => marker).length,
      ends: packets.filter(({ payload }) => payload[1]! & 0x80).length,
      grows: durations.every((duration, i) => i === 0 || duration >= durations[i - 1]!),
    };
  });
}

/** A press as it should be. */
const whole = (key: string, durationMs = 100) => ({ key, durationMs, markers: 1, ends: 3, grows: true });

/** Sequence numbers leave out none. */
const gapless = (heard: readonly HeardPacket[]): boolean =>
  heard.every(({ seq }, i) => i === 0 || seq === ((heard[i - 1]!.seq + 1) & 0xffff));

describe('key presses of a party', () => {
  let gateway: TestGateway;
  let pipeline: FakePipeline;
  let receiver: Receiver;
  let everything: Receiver;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    [receiver, everything, pipeline] = await Promise.all([
      Receiver.start(),
      Receiver.start(),
      FakePipeline.start(),
    ]);
    gateway = await TestGateway.start({
      settings: {
        webhooks: { allow_private: true },
        pipeline: { url: pipeline.url, extensions: true },
      },
    });
    await gateway.rest('POST', '/v1/webhooks', { url: receiver.url, events: ['session.dtmf'] });
    await gateway.rest('POST', '/v1/webhooks', { url: everything.url, events: ['*'] });
  });
  afterEach(async () => {
    await Promise.all(phones.splice(0).map((phone) => phone.stop()));
  });
  afterAll(async () => {
    await gateway.stop();
    await Promise.all([receiver.stop(), everything.stop(), pipeline.close()]);
  });

  async function call(options: TestPhoneOptions = {}) {
    const phone = await gateway.phone(options);
    phones.push(phone);
    const id = await gateway.session({ mode: 'ai_agent' });
    const made = await phone.call(gateway.uri(id));
    expect(made.status).toBe(200);
    const peer = pipeline.connections.find(({ headers }) => headers['x-kallglot-session'] === id)!;
    const told = () => peer.messages.filter(({ type }) => type === 'dtmf');
    const events = () =>
      receiver.received.map(({ body }) => body.data).filter((data) => data.session_id === id);
    const record = async () => (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data[0];
    return { id, made, told, events, record };
  }

  /** What the pipeline and the webhook were told, digit by digit, when it is all there. */
  async function keysOf({ told, events, record }: Awaited<ReturnType<typeof call>>, count: number) {
    await eventually('all keys are told', () => told().length >= count && events().length >= count);
    expect((await record()).dtmf.received).toBe(told().length);
    expect(events().map(({ digit }) => digit)).toEqual(told().map(({ digit }) => digit));
    return told()
      .map(({ digit }) => digit)
      .join('');
  }

  const pressAll = async ({ media }: PhoneCall, keys: string) => {
    for (const key of keys) {
      await media.sendDigit(key, 100);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  };

  test('by RTP reach the pipeline and the webhook that names them, each once', async () => {
    const phone = await call();
    await pressAll(phone.made, '4711#');
    expect(await keysOf(phone, 5)).toBe('4711#');
    expect(phone.told()[0]).toEqual({ type: 'dtmf', speaker: 'customer', digit: '4', duration_ms: 100 });
    expect(phone.events()[0]).toMatchObject({
      ...{ session_id: phone.id, provider: 'sip', digit: '4', duration_ms: 100, method: 'rtp' },
      leg: { id: (await phone.record()).id, role: 'customer', codec: 'PCMU' },
      pressed_at: expect.any(String),
    });
    const { quality } = await phone.record();
    expect(quality.packets_lost).toBe(0);
    await phone.made.bye();
    await eventually('the end is told', async () => (await phone.record())?.status === 'ended');
    expect((await phone.record()).dtmf).toEqual({ received: 5, sent: 0 });
    await eventually('all events came', () => everything.types().includes('session.ended'));
    expect(everything.types()).not.toContain('session.dtmf');
    expect(await gateway.metric('kallglot_dtmf_total{direction="in",method="rtp"}')).toBeGreaterThanOrEqual(
      5,
    );
  });

  test.each<[string, (n: number) => boolean]>([
    ['every third packet', (n) => n % 3 === 0],
    ['the first packet of every press, with its marker', (n) => n % 50 === 10],
  ])('are each told once though the network loses %s', async (_, drop) => {
    const phone = await call();
    phone.made.media.impairment = { drop, duplicate: (n) => n % 5 === 1, swap: (n) => n % 7 === 2 };
    await pressAll(phone.made, '1122334455');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await keysOf(phone, 10)).toBe('1122334455');
  });

  test.each(['opus', 'G722'] as const)('are told beside %s too', async (codec) => {
    const phone = await call({ codecs: [codec] });
    await pressAll(phone.made, '90');
    expect(await keysOf(phone, 2)).toBe('90');
  });

  test('by SIP INFO reach both, and what is none is refused', async () => {
    const phone = await call();
    const info = async (type: string, body: string) => (await phone.made.info(type, body)).status;
    expect(await info(RELAY, 'Signal=5\r\nDuration=160\r\n')).toBe(200);
    expect(await info('application/dtmf', '*')).toBe(200);
    expect(await info(RELAY, 'Signal=16\r\nDuration=160\r\n')).toBe(200);
    const refused = await phone.made.info(RELAY, 'Signal=tea\r\n');
    expect([refused.status, refused.headers.get('x-kallglot-error')]).toEqual([400, 'dtmf_invalid']);
    expect(refused.headers.get('warning')).toMatch(/the key press cannot be understood/);
    const strange = await phone.made.info('text/plain', '5');
    expect([strange.status, strange.headers.get('accept')]).toEqual([
      415,
      'application/dtmf-relay, application/dtmf',
    ]);
    expect(await keysOf(phone, 2)).toBe('5*');
    expect(phone.events()[0]).toMatchObject({ digit: '5', duration_ms: 160, method: 'info' });
    expect((await phone.made.bye()).status).toBe(200);
  });

  test('that come by RTP and by INFO are told once', async () => {
    const phone = await call();
    for (const key of '42') {
      await phone.made.media.sendDigit(key, 100);
      expect((await phone.made.info(RELAY, `Signal=${key}\r\nDuration=100\r\n`)).status).toBe(200);
    }
    await phone.made.info(RELAY, 'Signal=9\r\nDuration=100\r\n');
    expect(await keysOf(phone, 3)).toBe('429');
  });

  test('on hold are not for the pipeline', async () => {
    const phone = await call();
    await phone.made.reinvite({ direction: 'sendonly' });
    await phone.made.info(RELAY, 'Signal=1\r\nDuration=100\r\n');
    await phone.made.reinvite({ direction: 'sendrecv' });
    await phone.made.info(RELAY, 'Signal=2\r\nDuration=100\r\n');
    await eventually('both are told', () => phone.events().length === 2 && phone.told().length === 1);
    expect(phone.told()[0]).toMatchObject({ digit: '2' });
  });
});

describe('keys that we press', () => {
  let gateway: TestGateway;
  let callee: TestPhone;
  const taken: PhoneCall[] = [];

  beforeAll(async () => {
    callee = await new TestPhone({ username: 'callee' }).start();
    callee.answer(async (incoming) => {
      taken.push(await incoming.accept());
    });
    gateway = await TestGateway.start({
      organizations: [{ ...acme, sip: { ...acme.sip, outbound: { allowed_domains: ['127.0.0.1'] } } }],
    });
  });
  afterEach(async () => {
    await Promise.all(taken.splice(0).map((call) => call.isUp && call.bye()));
  });
  afterAll(async () => {
    await callee.stop();
    await gateway.stop();
  });

  const to = () => `sip:agent@127.0.0.1:${callee.port}`;
  async function dial(more: object = {}) {
    const id = await gateway.session();
    const { status, body } = await gateway.rest('POST', `/v1/sessions/${id}/dial`, {
      ...{ to: to(), role: 'agent', wait: true },
      ...more,
    });
    expect([status, body.status]).toEqual([200, 'up']);
    const call = taken.at(-1)!;
    const press = (wish: object) => gateway.rest('POST', `/v1/sessions/${id}/dtmf`, wish);
    const sent = async () => (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data[0].dtmf.sent;
    return { id, call, press, sent };
  }
  const infos = (call: PhoneCall) => call.requests.filter(({ method }) => method === 'INFO');

  test('by a dial go out after the answer, as RFC 4733 says, while speech pauses', async () => {
    const { call, sent } = await dial({ send_digits: 'w47#' });
    await eventually('all are sent', async () => (await sent()) === 3);
    expect(keysIn(call.media.heard)).toEqual(['4', '7', '#'].map((key) => whole(key)));
    expect(gapless(call.media.heard)).toBe(true);
    expect(new Set(call.media.heard.map(({ ssrc }) => ssrc)).size).toBe(1);
    expect(infos(call)).toEqual([]);
  });

  test('by REST go out with their timing, one request after the other', async () => {
    const { call, press, sent } = await dial();
    const answer = await press({ digits: '1a', duration_ms: 200, gap_ms: 60 });
    expect([answer.status, answer.body.method]).toEqual([202, 'rtp']);
    await press({ digits: '2', role: 'agent' });
    await eventually('all are sent', async () => (await sent()) === 3);
    expect(keysIn(call.media.heard)).toEqual([whole('1', 200), whole('A', 200), whole('2')]);
    expect((await press({ digits: '3', role: 'customer' })).body.error.code).toBe('leg_not_found');
  });

  test('wait while the party has us on hold', async () => {
    const { call, press, sent } = await dial();
    await call.reinvite({ direction: 'sendonly' });
    await press({ digits: '12' });
    await call.reinvite({ direction: 'sendrecv' });
    await eventually('all are sent', async () => (await sent()) === 2);
    expect(keysIn(call.media.heard).map(({ key }) => key)).toEqual(['1', '2']);
  });

  test('go by INFO where the SDP has no telephone-event', async () => {
    const { call, press, sent } = await dial();
    expect((await call.reinvite({ sdp: withoutEvents(call.localSdp()) })).status).toBe(200);
    expect((await press({ digits: '8*', duration_ms: 120 })).body.method).toBe('info');
    await eventually('all are sent', async () => (await sent()) === 2);
    expect(infos(call).map(({ headers, body }) => [headers.get('content-type'), body])).toEqual(
      ['8', '*'].map((key) => [RELAY, `Signal=${key}\r\nDuration=120\r\n`]),
    );
    expect(keysIn(call.media.heard)).toEqual([]);
    expect(await gateway.metric('kallglot_dtmf_total{direction="out",method="info"}')).toBeGreaterThan(0);

    call.onRequest = ({ method }) =>
      method === 'INFO' ? { status: 415, reason: 'Unsupported Media Type' } : undefined;
    await press({ digits: '99' });
    const unsent = 'kallglot_dtmf_dropped_total{reason="unsent"}';
    await eventually('they are given up', async () => (await gateway.metric(unsent)) === 2);
    expect(await sent()).toBe(2);
  });
});
