import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, identity, keyFile } from '../support/certificates.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { acme, TestGateway } from '../support/gateway.ts';
import type { IncomingCall } from '../support/incoming-call.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { ENOUGH, heardFrom } from '../support/speaking.ts';
import { TestPhone, type TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile).subarray(0, 16_000);
const SECURE = 'sk_test_secure_0123456789';
const suite = 'AES_CM_128_HMAC_SHA1_80';

/** What a carrier's certificate is for: no address, so that nothing but the name can be right. */
const CARRIER = 'pbx.other.example';
/** Leads to the same carrier, who has no certificate for it. */
const IMPOSTOR = 'pbx.acme.example';
const CHALLENGE = 'Digest realm="carrier", nonce="n-1", qop="auth"';

describe('a call out over TLS, to a name', () => {
  let dns: DnsServer;
  let gateway: TestGateway;
  const phones: TestPhone[] = [];
  /** INVITEs that have come to a carrier, the latest last. */
  let invites: IncomingCall[] = [];
  const accepted: PhoneCall[] = [];

  async function carrier(options: TestPhoneOptions): Promise<TestPhone> {
    const tls = { ca: certificateOf('ca'), ...identity('other') };
    const phone = await new TestPhone({ username: 'carrier', transport: 'tls', tls, ...options }).start();
    phones.push(phone);
    phone.answer(async (incoming) => {
      invites.push(incoming);
      if (incoming.invite.headers.get('proxy-authorization') !== undefined)
        accepted.push(await incoming.accept());
      else incoming.reject(407, 'Proxy Authentication Required', { 'Proxy-Authenticate': CHALLENGE });
    });
    return phone;
  }

  beforeAll(async () => {
    const plain = await carrier({});
    const secure = await carrier({ srtp: suite });
    const server = { priority: 1, weight: 1, target: 'sbc.other.example' };
    dns = await startDnsServer([
      ...[CARRIER, IMPOSTOR].map((host) => ({
        ...{ type: 'SRV' as const, name: `_sips._tcp.${host}`, data: { ...server, port: plain.port } },
      })),
      { type: 'A', name: server.target, data: '127.0.0.1' },
      { type: 'A', name: CARRIER, data: '127.0.0.1' },
    ]);
    const trunk = (port?: number) => ({
      ...{ host: CARRIER, transport: 'tls', ...(port && { port }), username: 'us', password: 'secret' },
      ...{ allowed_numbers: ['+49'], allowed_domains: [CARRIER, IMPOSTOR] },
    });
    const { username, password, ...open } = acme.sip;
    gateway = await TestGateway.start({
      organizations: [
        { ...acme, sip: { ...acme.sip, outbound: trunk() } },
        {
          ...{ id: 'secure', name: 'Secure', api_keys: [SECURE] },
          sip: { ...open, srtp: 'required', outbound: trunk(secure.port) },
        },
      ],
      settings: {
        pipeline: { embedded: { behaviour: 'relay' } },
        store: { encryption_key: 'an-encryption-key-for-tests' },
        sip: {
          listen: ['udp:127.0.0.1:0', 'tls:127.0.0.1:0'],
          dns_servers: [dns.address],
          tls: { certificate: certificateFile('server'), key: keyFile('server'), ca: certificateFile('ca') },
        },
      },
    });
  });
  beforeEach(() => {
    invites = [];
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
    dns.close();
  });

  /** A session with its customer on the line. */
  async function customer(options: TestPhoneOptions = {}, key?: string) {
    const phone = await gateway.phone(options);
    phones.push(phone);
    const id = await gateway.session({}, key);
    const call = await phone.call(gateway.uri(id, { transport: options.transport ?? 'udp' }));
    expect(call.status).toBe(200);
    return { id, call };
  }
  const dial = (id: string, to: string, key?: string) =>
    gateway.rest('POST', `/v1/sessions/${id}/dial`, { to, role: 'agent', wait: true }, key);

  /** Both hear each other; then the session ends, and with it both calls. */
  async function talkAndEnd(id: string, one: PhoneCall, key?: string): Promise<void> {
    const other = accepted.at(-1)!;
    expect(await heardFrom(one, other, speech)).toBeGreaterThan(ENOUGH);
    expect(await heardFrom(other, one, speech)).toBeGreaterThan(ENOUGH);
    await gateway.rest('POST', `/v1/sessions/${id}/end`, undefined, key);
    expect((await other.ended).reasonHeader).toMatch(/text="session_ended: /);
    await one.ended;
  }

  test('by the trunk of the organization, which asks for the password', async () => {
    const { id, call } = await customer();
    const { status, body } = await dial(id, '+49301234567');
    expect([status, body]).toEqual([200, expect.objectContaining({ status: 'up', transport: 'tls' })]);
    const [first, second] = invites.map(({ invite }) => invite);
    expect(second?.uri).toBe(`sip:+49301234567@${CARRIER};transport=tls`);
    expect(second?.headers.get('call-id')).toBe(first?.headers.get('call-id'));
    expect(second?.headers.get('via')).toMatch(/^SIP\/2\.0\/TLS /);
    expect(second?.headers.get('contact')).toBe(`<sip:${gateway.sipAddress('tls')};transport=tls>`);
    expect(second?.body).toMatch(/^m=audio \d+ RTP\/AVP /m);
    await talkAndEnd(id, call);
  });

  test('by a sips URI, with credentials for the trunk alone and nothing in the clear', async () => {
    const { id, call } = await customer();
    const { status, body } = await dial(id, `sips:agent@${CARRIER}`);
    expect([status, body]).toEqual([200, expect.objectContaining({ status: 'up', transport: 'tls' })]);
    const { uri, headers } = invites.at(-1)!.invite;
    expect([invites.length, uri]).toEqual([2, `sips:agent@${CARRIER}`]);
    expect(headers.get('to')).toBe(`<sips:agent@${CARRIER}>`);
    expect(headers.get('via')).toMatch(/^SIP\/2\.0\/TLS /);
    expect(headers.get('contact')).toBe(`<sips:${gateway.sipAddress('tls')}>`);
    await talkAndEnd(id, call);
  });

  test.each([`sips:agent@${IMPOSTOR}`, `sip:agent@${IMPOSTOR};transport=tls`])(
    'fails where the certificate is for another name: %s',
    async (to) => {
      const id = await gateway.session();
      const { status, body } = await dial(id, to);
      expect([status, body.error]).toEqual([
        502,
        expect.objectContaining({ code: 'dial_failed', reason: 'dial_failed', sip_status: 503 }),
      ]);
      expect(invites).toEqual([]);
    },
  );

  test('with SRTP, and nothing else offered, where the organization requires it', async () => {
    const { id, call } = await customer(
      {
        ...{ username: undefined, password: undefined, srtp: suite, transport: 'tls' },
        tls: { ca: certificateOf('ca') },
      },
      SECURE,
    );
    const { status, body } = await dial(id, '+49301234567', SECURE);
    expect([status, body]).toEqual([200, expect.objectContaining({ transport: 'tls', srtp: suite })]);
    expect(invites.at(-1)!.invite.body.match(/^m=.*/gm)).toEqual([
      expect.stringMatching(/^m=audio \d+ RTP\/SAVP /),
    ]);
    await talkAndEnd(id, call, SECURE);
  });
});
