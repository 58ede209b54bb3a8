import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, identity, keyFile } from '../support/certificates.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { TestGateway } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { TestPhoneOptions } from '../support/test-phone.ts';
import { translateTone, voicesSince } from '../support/tones.ts';
import { TwoParties } from '../support/two-parties.ts';

const organization = (id: string, sip: object) => ({
  ...{ id, name: id, api_keys: [`sk_test_${id}_0123456789`] },
  sip: { srtp: 'optional', ...sip },
});
/** Two PBXs, each known by its address. */
const listed = organization('listed', { allowed_ips: ['127.0.0.1', '127.0.0.2'] });
/** One PBX known by a password, and one by its certificate; neither by where it is. */
const keyed = organization('keyed', {
  ...{ username: 'keyed', password: 'keyed-password' },
  tls_certificates: ['PBX.acme.example'],
});

const anonymous = { username: undefined, password: undefined };
const overTls = { transport: 'tls', srtp: 'AES_CM_128_HMAC_SHA1_80' } as const;
const trunks = {
  'address-udp': { ...anonymous, host: '127.0.0.1' },
  'address-tls': { ...anonymous, ...overTls, host: '127.0.0.2', tls: { ca: certificateOf('ca') } },
  'password-tcp': {
    ...{ username: 'keyed', password: 'keyed-password' },
    ...{ host: '127.0.0.3', transport: 'tcp' },
  },
  'certificate-tls': {
    ...{ ...anonymous, ...overTls, host: '127.0.0.4' },
    tls: { ca: certificateOf('ca'), ...identity('pbx') },
  },
} as const satisfies Record<string, TestPhoneOptions>;
type Trunk = keyof typeof trunks;
const legOf = (trunk: Trunk, role: string) => {
  const {
    host,
    transport = 'udp',
    srtp = null,
  } = { transport: undefined, srtp: undefined, ...trunks[trunk] };
  return { role, source_address: host, transport, srtp };
};

describe('two parties from two trunks of one organization', () => {
  let house: TwoParties;

  beforeAll(async () => {
    const pipeline = await FakePipeline.start({ translates: translateTone });
    const gateway = await TestGateway.start({
      organizations: [listed, keyed],
      settings: {
        pipeline: { url: pipeline.url },
        sip: {
          listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0', 'tls:127.0.0.1:0'],
          tls: {
            ...{ certificate: certificateFile('server'), key: keyFile('server'), ca: certificateFile('ca') },
          },
        },
      },
    });
    house = new TwoParties(gateway, pipeline);
    for (const [name, options] of Object.entries(trunks)) await house.phone(name, options);
  });
  afterAll(() => house.stop());

  const keyOf = ({ api_keys }: { api_keys: string[] }) => api_keys[0] as string;
  const legs = async (id: string, key: string) =>
    (await house.gateway.rest('GET', `/v1/sessions/${id}/calls`, undefined, key)).body.data;
  const hearEachOther = async (customer: PhoneCall, agent: PhoneCall) => {
    expect([customer.status, agent.status]).toEqual([200, 200]);
    await house.hears(customer, 'agent translated');
    await house.hears(agent, 'customer translated');
    expect(voicesSince(customer.media.heard)).toEqual(['agent translated']);
    expect(voicesSince(agent.media.heard)).toEqual(['customer translated']);
  };

  test.each<{
    owner: typeof listed;
    first: [Trunk, string];
    next: [Trunk, string];
    named: boolean | 'header';
  }>([
    { owner: listed, first: ['address-udp', 'customer'], next: ['address-tls', 'agent'], named: false },
    { owner: listed, first: ['address-tls', 'agent'], next: ['address-udp', 'customer'], named: true },
    { owner: keyed, first: ['certificate-tls', 'customer'], next: ['password-tcp', 'agent'], named: false },
    {
      owner: keyed,
      first: ['password-tcp', 'agent'],
      next: ['certificate-tls', 'customer'],
      named: 'header',
    },
  ])('are one conversation: $first, then $next, named: $named', async ({ owner, first, next, named }) => {
    const id = await house.gateway.session({}, keyOf(owner));
    const calls: Record<string, PhoneCall> = {};
    for (const [trunk, role] of [first, next])
      calls[role] = await house.call(id, role as 'agent', { phone: trunk, named });
    const { customer, agent } = calls as { customer: PhoneCall; agent: PhoneCall };
    await hearEachOther(customer, agent);
    const wanted = [legOf(...first), legOf(...next)].map((leg) => expect.objectContaining(leg));
    expect(await legs(id, keyOf(owner))).toEqual(wanted);
    await Promise.all([customer.bye(), agent.bye()]);
  });

  test('nobody else’s trunk comes between them, and a party that was lost comes back by the other one', async () => {
    const id = await house.gateway.session({}, keyOf(keyed));
    const customer = await house.call(id, 'customer', { phone: 'certificate-tls' });
    const stranger = await house.call(id, 'agent', { phone: 'address-udp' });
    expect(stranger.status).toBe(401);
    const others = await house.gateway.session({}, keyOf(listed));
    const known = await house.call(others, 'agent', { phone: 'password-tcp' });
    expect([known.status, known.headers.get('x-kallglot-error')]).toEqual([404, 'session_not_found']);

    const agent = await house.call(id, 'agent', { phone: 'password-tcp' });
    await hearEachOther(customer, agent);
    await agent.bye();
    await house.hears(customer);
    const back = await house.call(id, 'agent', { phone: 'certificate-tls' });
    await hearEachOther(customer, back);
    await Promise.all([customer.bye(), back.bye()]);
  });
});
