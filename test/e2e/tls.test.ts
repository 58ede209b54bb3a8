import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, identity, keyFile } from '../support/certificates.ts';
import { encode } from '../support/g711.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { CallOptions, TestPhone, TestPhoneOptions } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile).subarray(0, 16_000);
const organization = (id: string, sip: object) => ({
  id,
  name: id,
  api_keys: [`sk_test_${id}_0123456789`],
  sip,
});
const fingerprint = new X509Certificate(certificateOf('nameless')).fingerprint256;

/** Is called, and calls whom it likes here. */
const calling = { ...acme, sip: { ...acme.sip, outbound: { allowed_domains: ['127.0.0.1'] } } };
/** Calls over TLS only. */
const strict = organization('strict', {
  username: 'strict',
  password: 'strict-password',
  tls_required: true,
});
/** Known by their certificates alone: by a name, by a fingerprint, and two by the same name. */
const named = organization('named', { tls_certificates: ['PBX.acme.example'] });
const printed = organization('printed', { tls_certificates: [fingerprint], inbound_first: true });
const second = organization('second', { tls_certificates: ['acme.example'] });

describe('a gateway that listens on TLS', () => {
  let gateway: TestGateway;
  let folder: string;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gateway-tls-'));
    install('server');
    gateway = await TestGateway.start({
      organizations: [calling, strict, named, printed, second],
      settings: {
        sip: {
          listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0', 'tls:127.0.0.1:0'],
          tls: {
            certificate: join(folder, 'cert.pem'),
            key: join(folder, 'key.pem'),
            ca: certificateFile('ca'),
          },
        },
      },
    });
  });
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  function install(name: 'server' | 'renewed'): void {
    copyFileSync(certificateFile(name), join(folder, 'cert.pem'));
    copyFileSync(keyFile(name), join(folder, 'key.pem'));
  }

  async function dial(
    uri: string,
    options: TestPhoneOptions = {},
    call: CallOptions = {},
  ): Promise<PhoneCall> {
    const phone = await gateway.phone(options);
    phones.push(phone);
    return phone.call(uri, call);
  }
  const overTls = (certificate?: Parameters<typeof identity>[0]): TestPhoneOptions => ({
    transport: 'tls',
    tls: { ca: certificateOf('ca'), ...(certificate && identity(certificate)) },
  });
  const anonymous = { username: undefined, password: undefined };

  /** A call to a session of that organization. */
  async function answerTo(owner: { api_keys: string[] }, options: TestPhoneOptions, call: CallOptions = {}) {
    const id = await gateway.session({}, owner.api_keys[0]);
    const made = await dial(gateway.uri(id, { transport: options.transport ?? 'udp' }), options, call);
    if (made.status === 200) await made.bye();
    return { status: made.status, code: made.headers.get('x-kallglot-error') };
  }

  test('says so', () => {
    expect(gateway.gateway.hostports).toContain(`tls/${gateway.sipAddress('tls')}`);
  });

  test('carries a call over it, heard back, with a Contact that leads to it', async () => {
    const id = await gateway.session();
    const call = await dial(gateway.uri(id, { transport: 'tls' }), overTls());
    expect(call.status).toBe(200);
    expect(call.headers.get('contact')).toBe(`<sip:${gateway.sipAddress('tls')};transport=tls>`);
    const { startedAt } = await call.media.play(speech);
    await new Promise((resolve) => setTimeout(resolve, 800));
    const heard = compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
    expect(heard.speechMatched).toBe(1);
    const legs = (await gateway.rest('GET', `/v1/sessions/${id}/calls`)).body.data;
    expect(legs).toMatchObject([{ transport: 'tls' }]);
    const hungUp = call.ended;
    await gateway.rest('POST', `/v1/sessions/${id}/end`);
    expect((await hungUp).reasonHeader).toContain('session_ended');
  });

  test('takes a sips call, with a sips Contact, and refuses one that came in the clear', async () => {
    const id = await gateway.session();
    const sips = (transport: 'udp' | 'tls') => gateway.uri(id, { transport }).replace('sip:', 'sips:');
    const call = await dial(sips('tls'), overTls());
    expect([call.status, call.headers.get('contact')]).toEqual([200, `<sips:${gateway.sipAddress('tls')}>`]);
    await call.bye();
    const clear = await dial(sips('udp'));
    expect([clear.status, clear.headers.get('warning')]).toEqual([480, '381 kallglot "SIPS Required"']);
  });

  test('refuses calls in the clear where the trunk asks for TLS', async () => {
    const credentials = { username: 'strict', password: 'strict-password' };
    expect(await answerTo(strict, credentials)).toEqual({ status: 403, code: 'tls_required' });
    expect(await answerTo(strict, { ...credentials, transport: 'tcp' })).toEqual({
      status: 403,
      code: 'tls_required',
    });
    expect(await answerTo(strict, { ...credentials, ...overTls() })).toMatchObject({ status: 200 });
  });

  test('knows organizations by the certificates of their PBXs, and no others', async () => {
    const asks = async (owner: { api_keys: string[] }, certificate?: Parameters<typeof identity>[0]) =>
      (await answerTo(owner, { ...overTls(certificate), ...anonymous })).status;
    expect(await asks(named, 'pbx')).toBe(200);
    expect(await asks(second, 'pbx')).toBe(200);
    expect(await asks(printed, 'nameless')).toBe(200);
    expect(await asks(printed, 'pbx')).toBe(401);
    for (const certificate of ['other', 'expired', 'stranger', undefined] as const)
      expect([certificate, await asks(named, certificate)]).toEqual([certificate, 401]);
  });

  test('knows the caller of an inbound-first call by its certificate', async () => {
    const to = `sip:4711@${gateway.sipAddress('tls')}`;
    const call = await dial(to, { ...overTls('nameless'), ...anonymous });
    expect(call.status).toBe(200);
    await call.bye();
  });

  test('believes nobody who says that he has a certificate', async () => {
    const { fingerprint256 } = new X509Certificate(certificateOf('pbx'));
    const value = `sha256=${fingerprint256.replaceAll(':', '').toLowerCase()};names="pbx.acme.example"`;
    const headers = { 'X-Kallglot-Peer-Certificate': value };
    for (const options of [{}, { transport: 'tcp' as const }, overTls(), overTls('other')])
      expect((await answerTo(named, { ...options, ...anonymous }, { headers })).status).toBe(401);
  });

  test('has ready text for PBXs, over TLS by the name of its certificate, and no other where the trunk asks for TLS', async () => {
    const transportsFor = async (owner: { api_keys: string[] }) => {
      const { body } = await gateway.rest(
        'GET',
        '/v1/telephony/sip/configuration',
        undefined,
        owner.api_keys[0],
      );
      const port = gateway.sipAddress('tls').split(':')[1];
      for (const { transport, text } of body.data)
        if (transport === 'tls') expect(text).toContain(`sip.kallglot.com:${port}`);
      return body.data.map((one: { transport: string }) => one.transport);
    };
    expect(await transportsFor(acme)).toEqual(['udp', 'udp', 'udp', 'tls', 'tls', 'tls']);
    expect(await transportsFor(strict)).toEqual(['tls', 'tls', 'tls']);
  });

  describe('calls a peer over TLS', () => {
    const connections = () => gateway.metric('kallglot_engine_state{kind="connections"}');

    async function callee(certificate: Parameters<typeof identity>[0]): Promise<TestPhone> {
      const phone = await gateway.phone(overTls(certificate));
      phones.push(phone);
      phone.answer(async (incoming) => void (await incoming.accept()));
      return phone;
    }
    async function call(phone: TestPhone, transport = ';transport=tls') {
      const id = await gateway.session();
      const to = `sip:agent@127.0.0.1:${phone.port}${transport}`;
      return gateway.rest('POST', `/v1/sessions/${id}/dial`, { to, role: 'agent', wait: true });
    }

    test('whose certificate is for its address', async () => {
      expect(await call(await callee('pbx'))).toMatchObject({ status: 200, body: { transport: 'tls' } });
    });

    test.each(['other', 'stranger', 'expired'] as const)('not when it is %s', async (certificate) => {
      const { status, body } = await call(await callee(certificate));
      expect([status, body.error.code]).toEqual([502, 'dial_failed']);
    });

    test('by the connection that it has opened, where it offers that', async () => {
      const phone = await callee('pbx');
      const options = await phone.request('OPTIONS', `sip:${gateway.sipAddress('tls')}`);
      expect(options.status).toBe(200);
      const before = await connections();
      expect((await call(phone)).status).toBe(200);
      expect(await connections()).toBe(before);
    });
  });

  test('takes a new certificate while a call is up, and the call stays', { timeout: 90_000 }, async () => {
    const serial = (name: 'server' | 'renewed') => new X509Certificate(certificateOf(name)).serialNumber;
    const id = await gateway.session();
    const call = await dial(gateway.uri(id, { transport: 'tls' }), overTls());
    expect(await servedSerial()).toBe(serial('server'));
    writeFileSync(join(folder, 'key.pem'), 'half of a key');
    install('renewed');
    await eventually(
      'the new certificate is served',
      async () => (await servedSerial()) === serial('renewed'),
      60_000,
    );
    expect((await call.options()).status).toBe(200);
    const { startedAt } = await call.media.play(speech);
    await new Promise((resolve) => setTimeout(resolve, 800));
    const heard = compareHeard(encode('PCMU', speech), call.media.heard, { playedAt: startedAt });
    expect(heard.speechMatched).toBe(1);
    expect((await call.bye()).status).toBe(200);
    const expires = `kallglot_sip_tls_certificate_expires_seconds{file="${join(folder, 'cert.pem')}"}`;
    expect(await gateway.metric(expires)).toBe(Date.UTC(2120, 0, 1) / 1000);
  });

  /** Serial number of the certificate that a new connection gets. */
  async function servedSerial(): Promise<string | undefined> {
    const [host, port] = gateway.sipAddress('tls').split(':');
    const socket = connect({ host, port: Number(port), ca: certificateOf('ca') });
    try {
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      return socket.getPeerX509Certificate()?.serialNumber;
    } finally {
      socket.destroy();
    }
  }
});

test('a certificate that cannot be read stops the start by its name', async () => {
  const tls = { certificate: '/nowhere/cert.pem', key: keyFile('server') };
  await expect(
    TestGateway.start({ settings: { sip: { listen: ['tls:127.0.0.1:0'], tls } } }),
  ).rejects.toThrow('sip.tls.certificate: /nowhere/cert.pem cannot be read');
});
