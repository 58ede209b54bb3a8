import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeswitchCrypto } from '../sdp/offers.ts';
import { certificateFile, certificateOf, identity, keyFile } from '../support/certificates.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { writeRtp } from '../support/rtp-packet.ts';
import { ENOUGH, heardFrom } from '../support/speaking.ts';
import { newKey, Srtp, type Suite } from '../support/srtp.ts';
import { type CallOptions, TestPhone, type TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

/** The first two seconds of the speech. */
const speech = readWav(speechFile).subarray(0, 16_000);
const suite = 'AES_CM_128_HMAC_SHA1_80';
const ALICE = 'sk_test_alice_0123456789';

/** Optional SRTP as FreeSWITCH offers it: SAVP with all of its suites, and AVP behind, on one port. */
function freeswitchOffer(own: string): string {
  const port = /m=audio (\d+)/.exec(own)?.[1];
  const codecs = ['a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:101 telephone-event/8000'];
  const more = ['a=fmtp:101 0-15', 'a=rtpmap:13 CN/8000', 'a=ptime:20'];
  return [
    ...['v=0', 'o=FreeSWITCH 1700000000 1700000001 IN IP4 127.0.0.1', 's=FreeSWITCH'],
    ...['c=IN IP4 127.0.0.1', 't=0 0'],
    ...[`m=audio ${port} RTP/SAVP 0 8 101 13`, ...codecs, ...more, ...freeswitchCrypto],
    ...[`m=audio ${port} RTP/AVP 0 8 101 13`, ...codecs, ...more, ''],
  ].join('\r\n');
}

/** Speaks, and waits until it has come back. @returns how much of it did, from 0 to 1 */
const speak = (call: PhoneCall, withinMs?: number) => heardFrom(call, call, speech, withinMs);

describe.concurrent('SRTP', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    gateway = await TestGateway.start({
      organizations: [
        { ...acme, sip: { ...acme.sip, srtp: 'optional' } },
        {
          ...{ id: 'alice', name: 'Alice', api_keys: [ALICE] },
          sip: { username: 'alice', password: 'alice-password', srtp: 'required' },
        },
      ],
    });
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function dial(options: TestPhoneOptions = {}, callOptions: CallOptions = {}, key?: string) {
    const phone = await gateway.phone(options);
    phones.push(phone);
    const id = await gateway.session({}, key);
    return { id, call: await phone.call(gateway.uri(id), callOptions) };
  }

  async function up(options: TestPhoneOptions = { srtp: suite }, callOptions: CallOptions = {}) {
    const { id, call } = await dial(options, callOptions);
    expect(call.status).toBe(200);
    return { id, call };
  }

  /** What the API says of a call that is up. */
  const shown = async (id: string) => (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data[0];

  test.each([
    'AES_CM_128_HMAC_SHA1_80',
    'AES_CM_128_HMAC_SHA1_32',
    'AEAD_AES_128_GCM',
    'AEAD_AES_256_GCM',
  ] as const)('a call by %s is heard back', async (srtp: Suite) => {
    const { id, call } = await up({ srtp });
    expect(call.answerSdp).toMatch(/m=audio \d+ RTP\/SAVP 0/);
    const heard = await speak(call);
    expect(await shown(id)).toMatchObject({ srtp });
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
    expect(call.media.counters).toMatchObject({ notAuthentic: 0, notRtp: 0 });
  });

  test('hold and its end, with the same keys, change nothing of them', async () => {
    const { call } = await up();
    const key = (text: string) => /a=crypto:.*/.exec(text)?.[0];
    const held = await call.reinvite({ direction: 'sendonly' });
    const resumed = await call.reinvite({ direction: 'sendrecv' });
    expect([key(held.sdp), key(resumed.sdp)]).toEqual([key(call.answerSdp), key(call.answerSdp)]);
    const heard = await speak(call);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
    expect(new Set(call.media.heard.map(({ ssrc }) => ssrc)).size).toBe(1);
    expect(call.media.counters.notAuthentic).toBe(0);
  });

  test('a new key by re-INVITE counts from then on', async () => {
    const { call } = await up();
    await speak(call);
    expect((await call.reinvite({ rekey: true })).status).toBe(200);
    call.media.heard.length = 0;
    const heard = await speak(call);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
  });

  test('a re-INVITE without SDP is offered the same key again', async () => {
    const { call } = await up();
    const late = await call.reinvite({ late: true });
    expect(/a=crypto:.*/.exec(late.sdp)?.[0]).toBe(/a=crypto:.*/.exec(call.answerSdp)?.[0]);
    const heard = await speak(call);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
  });

  test('a caller under a key that its SDP does not name is not heard, and its call lives', async () => {
    const { id, call } = await up({ srtp: suite }, { sdp: (own) => own });
    const [ours, theirs] = [newKey(suite), /inline:(\S+)/.exec(call.answerSdp)?.[1] as string];
    call.media.secure({ tag: 1, suite, key: ours }, { tag: 1, suite, key: theirs });
    await eventually('it is dropped', async () => (await shown(id)).quality.packets_dropped > 0);
    const before = (await shown(id)).quality.packets_received;
    const heard = await speak(call, 0);
    const { status, quality } = await shown(id);
    expect({ status, received: quality.packets_received }).toEqual({ status: 'up', received: before });
    expect(quality.packets_dropped).toBeGreaterThan(100);
    expect(heard).toBe(0);
    await call.bye();
  });

  test('packets that are sent twice are heard once, and the call lives', async () => {
    const { id, call } = await up();
    call.media.impairment = { duplicate: () => true };
    const heard = await speak(call);
    const { quality } = await shown(id);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
    expect(quality.packets_dropped).toBeGreaterThan(100);
  });

  test('an attacker is not heard: plain RTP, and SRTP under another key, from the address of the call', async () => {
    const { id, call } = await up({ srtp: suite });
    call.media.mute();
    await call.media.inject(20, { intervalMs: 5 });
    const forger = new Srtp(suite, newKey(suite));
    for (let seq = 0; seq < 20; seq++) {
      const payload = new Uint8Array(160).fill(0x01);
      const fields = { pt: 0, seq, timestamp: seq * 160, ssrc: 5, marker: false, payload };
      call.media.sendRaw(forger.protect(writeRtp(fields)));
      call.media.sendRaw(writeRtp(fields));
    }
    await eventually('all are dropped', async () => (await shown(id)).quality.packets_dropped >= 40);
    call.media.unmute();
    const heard = await speak(call);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
    const loud = call.media.heard.filter(({ payload }) => payload.every((byte) => byte === 0x01));
    expect(loud).toEqual([]);
  });

  test("FreeSWITCH's offer is answered by the tag of the key that is used", async () => {
    const { id, call } = await up({}, { sdp: freeswitchOffer });
    expect(call.answerSdp.match(/^m=.*/gm)).toEqual([
      expect.stringMatching(/^m=audio \d+ RTP\/SAVP 0 101/),
      'm=audio 0 RTP/AVP 0 8 101 13',
    ]);
    expect(call.answerSdp.match(/^a=crypto.*/gm)).toEqual([
      expect.stringMatching(/^a=crypto:2 AEAD_AES_256_GCM inline:\S{59}=$/),
    ]);
    const heard = await speak(call);
    expect(await shown(id)).toMatchObject({ srtp: 'AEAD_AES_256_GCM' });
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
  });

  test('a plain call of a trunk with optional SRTP stays plain', async () => {
    const { id, call } = await up({});
    const heard = await speak(call);
    expect(await shown(id)).toMatchObject({ srtp: null });
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
  });

  describe('a trunk that requires it', () => {
    const alice = { username: 'alice', password: 'alice-password' };

    test('takes a call with SRTP', async () => {
      const { call } = await dial({ ...alice, srtp: suite }, {}, ALICE);
      const heard = await speak(call);
      await call.bye();
      expect(call.status).toBe(200);
      expect(heard).toBeGreaterThan(ENOUGH);
    });

    test.each([
      ['a plain offer', 'offer', 'no RTP/SAVP audio line in the offer'],
      ['no offer over UDP', 'late', 'an INVITE without SDP gets an offer without SRTP, except over TLS'],
      [
        'RTP/AVP with a key',
        (own: string) => own.replace('a=ptime', `a=crypto:1 ${suite} inline:${newKey(suite)}\r\na=ptime`),
        'no RTP/SAVP audio line in the offer',
      ],
      [
        'no key that can be used',
        (own: string) =>
          own.replace('RTP/AVP', 'RTP/SAVP').replace('a=ptime', 'a=crypto:1 F8 inline:AA\r\na=ptime'),
        'no a=crypto that can be used; offered: F8',
      ],
    ] as const)('refuses %s with 488 and says why', async (_name, sdp, why) => {
      const { call } = await dial(alice, { sdp }, ALICE);
      expect(call.status).toBe(488);
      expect(call.headers.get('x-kallglot-error')).toBe('srtp_required');
      expect(call.headers.get('warning')).toContain('305 kallglot "this trunk must use SRTP');
      expect(call.headers.get('warning')).toContain(why);
      expect(call.headers.get('reason')).toMatch(/^Q\.850;cause=88/);
    });

    test('keeps a call that asks to go on in plain as it was', async () => {
      const { call } = await dial({ ...alice, srtp: suite }, {}, ALICE);
      const plain = call.localSdp().replace('RTP/SAVP', 'RTP/AVP');
      expect((await call.reinvite({ sdp: plain })).status).toBe(488);
      const heard = await speak(call);
      await call.bye();
      expect(heard).toBeGreaterThan(ENOUGH);
    });
  });
});

describe('SRTP that we offer ourselves, over TLS', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];
  const overTls = { transport: 'tls', tls: { ca: certificateOf('ca'), ...identity('pbx') } } as const;

  beforeAll(async () => {
    const sip = { ...acme.sip, srtp: 'required', outbound: { allowed_domains: ['127.0.0.1'] } };
    gateway = await TestGateway.start({
      organizations: [{ ...acme, sip }],
      settings: {
        sip: {
          listen: ['udp:127.0.0.1:0', 'tls:127.0.0.1:0'],
          tls: {
            certificate: certificateFile('server'),
            key: keyFile('server'),
            ca: certificateFile('ca'),
          },
        },
      },
    });
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function phoneWith(srtp?: Suite): Promise<TestPhone> {
    const phone = await gateway.phone({ ...overTls, ...(srtp && { srtp }) });
    phones.push(phone);
    return phone;
  }

  test('where a call has no offer: the key in the ACK is used', async () => {
    const phone = await phoneWith('AEAD_AES_128_GCM');
    const id = await gateway.session();
    const call = await phone.call(gateway.uri(id, { transport: 'tls' }), { sdp: 'late' });
    expect(call.answerSdp.match(/^a=crypto:\d \S+/gm)).toEqual([
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80',
      'a=crypto:2 AES_CM_128_HMAC_SHA1_32',
      'a=crypto:3 AEAD_AES_128_GCM',
      'a=crypto:4 AEAD_AES_256_GCM',
    ]);
    const heard = await speak(call);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
  });

  async function dialed(phone: TestPhone) {
    const accepted = Promise.withResolvers<PhoneCall>();
    phone.answer(async (incoming) => accepted.resolve(await incoming.accept()));
    const id = await gateway.session();
    const to = `sip:agent@127.0.0.1:${phone.port};transport=tls`;
    const answer = await gateway.rest('POST', `/v1/sessions/${id}/dial`, { to, wait: true });
    return { answer, call: await accepted.promise };
  }

  test('where a session dials: the key in the answer is used', async () => {
    const { answer, call } = await dialed(await phoneWith('AES_CM_128_HMAC_SHA1_32'));
    expect(answer).toMatchObject({
      status: 200,
      body: { transport: 'tls', srtp: 'AES_CM_128_HMAC_SHA1_32' },
    });
    const heard = await speak(call);
    await call.bye();
    expect(heard).toBeGreaterThan(ENOUGH);
  });

  test('a callee that answers in plain gets no call', async () => {
    const { answer, call } = await dialed(await phoneWith());
    expect(answer.status).toBe(502);
    await call.ended;
  });

  test('is not dialled in the clear', async () => {
    const id = await gateway.session();
    const to = 'sip:agent@127.0.0.1:5999';
    const { status, body } = await gateway.rest('POST', `/v1/sessions/${id}/dial`, { to });
    expect([status, body.error.code]).toEqual([422, 'srtp_needs_tls']);
  });
});

test('the log shows no key, however much it is asked to tell', async () => {
  const gateway = GatewayProcess.start({
    by: 'node',
    settings: {
      sip: { listen: ['udp:127.0.0.1:0'] },
      api: { listen: '127.0.0.1:0' },
      media: { address: '127.0.0.1', ports: '25300-25399' },
      log: { level: 'trace' },
      organizations: [{ ...acme, sip: { ...acme.sip, srtp: 'required' } }],
    },
  });
  const phone = await new TestPhone({ srtp: suite }).start();
  const keys: string[] = [];
  const keysIn = (sdp: string): void =>
    void keys.push(...[...sdp.matchAll(/inline:([\w+/=]+)/g)].map(([, key]) => key!));
  try {
    const { api, sip } = await gateway.ready();
    const call = async (sdp: CallOptions['sdp']): Promise<PhoneCall> => {
      const response = await fetch(`${api}/v1/sessions`, {
        method: 'POST',
        headers: { 'X-API-Key': acme.api_keys[0] as string, 'Content-Type': 'application/json' },
        body: JSON.stringify({ mode: 'bidirectional_translation', routing: { type: 'sip' } }),
      });
      const { id } = (await response.json()) as { id: string };
      const made = await phone.call(`sip:${id}@${sip[0]?.slice('udp/'.length)}`, { sdp });
      keysIn(`${made.invite?.body} ${made.answerSdp}`);
      return made;
    };
    const good = await call('offer');
    expect(good.status).toBe(200);
    const broken = (await call((own) => own.replace('a=crypto', 'a crypto'))).status;
    const unusable = (await call((own) => own.replace(suite, 'F8'))).status;
    expect([broken, unusable]).toEqual([400, 488]);
    expect((await good.reinvite({ sdp: good.localSdp().replace('1 AES', 'x AES') })).status).toBe(488);
    await good.bye();
    await eventually('the call is in the log', () =>
      gateway.stdout.includes('"srtp":"AES_CM_128_HMAC_SHA1_80"'),
    );
  } finally {
    await phone.stop();
    await gateway.stop();
  }
  expect(keys).toHaveLength(4);
  for (const key of keys) expect(`${gateway.stdout}${gateway.stderr}`).not.toContain(key.slice(0, 10));
});
