import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, keyFile } from '../support/certificates.ts';
import { DrachtioPeer } from '../support/drachtio-peer.ts';
import { DrachtioStandIn } from '../support/drachtio-stand-in.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import { freeTcpPort } from '../support/port-pair.ts';
import { TestPhone } from '../support/test-phone.ts';

/** Any number may be called, and a phone on this machine. */
const inboundFirst = [
  { ...acme, sip: { ...acme.sip, inbound_first: true, outbound: { allowed_domains: ['127.0.0.1'] } } },
];
const start = (drachtio: unknown, ports = '21000-24999') =>
  TestGateway.start({
    organizations: inboundFirst,
    settings: {
      sip: { engine: 'drachtio', drachtio },
      session: { rejoin_seconds: 1 },
      media: { address: '127.0.0.1', ports },
    },
  });

const phones: TestPhone[] = [];
async function call({ address, sipPort }: DrachtioStandIn) {
  const phone = await new TestPhone({ username: 'acme', password: 'acme-password' }).start();
  phones.push(phone);
  return phone.call(`sip:100@${address}:${sipPort}`);
}
afterAll(() => Promise.all(phones.map((phone) => phone.stop())));

const active = (gateway: TestGateway) => gateway.metric('kallglot_calls_active');
const ended = (gateway: TestGateway, reason: string) =>
  gateway.metric(`kallglot_ends_total{reason="${reason}"}`);
const up = (gateway: TestGateway) => gateway.metric('kallglot_engine_links{state="up"}');

describe('a gateway on two drachtio-servers, one of them over TLS', () => {
  let [plain, tls]: DrachtioStandIn[] = [];
  let gateway: TestGateway;

  beforeAll(async () => {
    [plain, tls] = await Promise.all([
      DrachtioStandIn.start(),
      DrachtioStandIn.start({ tls: true, address: '127.0.0.2' }),
    ]);
    await tls!.kill();
    const secure = { tls: true, ca: certificateFile('ca'), server_name: 'localhost' };
    const { secret, port } = plain!;
    gateway = await start([
      { port, secret },
      { port: tls!.port, secret, ...secure },
    ]);
  });
  afterAll(async () => {
    await gateway.stop();
    await Promise.all([plain?.kill(), tls?.kill()]);
  });

  test('takes calls at the address of each, also of one that comes later, and none of a banned source', async () => {
    const first = await call(plain!);
    expect([await up(gateway), first.status]).toEqual([1, 200]);
    await tls!.start();
    await eventually('both are up', async () => (await up(gateway)) === 2);
    const second = await call(tls!);
    expect(second.status).toBe(200);
    await gateway.rest('POST', '/v1/admin/bans', { address: '127.0.0.1', seconds: 600 });
    expect((await call(plain!)).status).toBe(403);
    await Promise.all([first.bye(), second.bye()]);
    await gateway.rest('DELETE', '/v1/admin/bans/127.0.0.1');
    await eventually('both are over', async () => (await active(gateway)) === 0);
  });

  test.each(['plain', 'tls'])(
    'loses the calls of the one that dies (%s), keeps the others, and has it back',
    async (dying) => {
      const [dies, stays] = dying === 'plain' ? [plain!, tls!] : [tls!, plain!];
      const lostBefore = await ended(gateway, 'engine_lost');
      const [lost, kept] = [await call(dies), await call(stays)];
      expect([lost.status, kept.status]).toEqual([200, 200]);
      await dies.kill();
      await eventually('its call is over', async () => (await active(gateway)) === 1);
      expect((await ended(gateway, 'engine_lost')) - lostBefore).toBe(1);
      const ports = () => gateway.metric('kallglot_media_ports{state="used"}');
      await eventually('its ports are free', async () => (await ports()) === 1);
      expect((await gateway.rest('GET', '/readyz')).status).toBe(200);
      const heard = kept.media.heard.length;
      await kept.media.play(new Int16Array(4000));
      expect(kept.media.heard.length).toBeGreaterThan(heard);
      await kept.bye();
      await dialOut();
      await dies.start();
      await eventually('it is back', async () => (await up(gateway)) === 2);
      const again = await call(dies);
      expect(again.status).toBe(200);
      await again.bye();
      await eventually('all is over', async () => (await active(gateway)) === 0);
    },
  );

  /** Two calls, so that the turn of each server comes: all go by those that are up. */
  async function dialOut() {
    const callee = await new TestPhone({ username: 'callee' }).start();
    phones.push(callee);
    callee.answer(async (incoming) => void (await incoming.accept()));
    for (const role of ['customer', 'agent']) {
      const to = `sip:callee@127.0.0.1:${callee.port}`;
      const id = await gateway.session();
      const { status } = await gateway.rest('POST', `/v1/sessions/${id}/dial`, { to, role, wait: true });
      expect(status).toBe(200);
      await gateway.rest('POST', `/v1/sessions/${id}/end`);
    }
  }
});

test('two gateways on one drachtio-server share its calls, and each is asked about its own', async () => {
  const server = await DrachtioStandIn.start();
  const address = { port: server.port, secret: server.secret };
  const gateways = [await start(address), await start(address, '25000-26999')];
  const calls = [await call(server), await call(server), await call(server), await call(server)];
  expect(calls.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await Promise.all(gateways.map(active))).toEqual([2, 2]);
  for (const made of calls) expect((await made.request('OPTIONS')).status).toBe(200);
  await Promise.all(calls.map((made) => made.bye()));
  await eventually('all are over', async () => (await Promise.all(gateways.map(active))).join() === '0,0');
  expect(await Promise.all(gateways.map((gateway) => ended(gateway, 'hangup')))).toEqual([2, 2]);
  for (const gateway of gateways) await gateway.stop();
  await server.kill();
});

describe('a drachtio-server that connects to us', () => {
  let port: number;
  let gateway: TestGateway;
  beforeAll(async () => {
    port = await freeTcpPort();
    gateway = await start({ secret: 'to-them', listen: { port } });
  });
  afterAll(() => gateway.stop());

  const headers = (method: string, cseq: number, to = '') =>
    [
      `Via: SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK${cseq}${method}`,
      ...['From: <sip:acme@127.0.0.1>;tag=caller', `To: <sip:100@127.0.0.1>${to}`, 'Call-ID: by-hand'],
      ...[`CSeq: ${cseq} ${method}`, 'Contact: <sip:acme@127.0.0.1:5090>', ''],
    ].join('\r\n');
  const sdp =
    'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n';
  const invite = `INVITE sip:100@127.0.0.1 SIP/2.0\r\n${headers('INVITE', 1)}Content-Type: application/sdp\r\n\r\n${sdp}`;

  /** Brings one call and has it answered. */
  async function bring() {
    const socket = connect(port, '127.0.0.1');
    const peer = new DrachtioPeer(socket, 'to-them');
    peer.deliver({ transaction: 'invite-1', sip: invite });
    const answer = await peer.answerTo('invite-1', 200);
    const asSent = answer.sip.replace(
      /^(SIP.*\r\n)[\s\S]*?\r\n\r\n/,
      `$1${headers('INVITE', 1, ';tag=us')}\r\n`,
    );
    peer.confirm(answer, dialog, asSent);
    peer.deliver({
      transaction: 'ack-1',
      dialog,
      sip: `ACK sip:100@127.0.0.1 SIP/2.0\r\n${headers('ACK', 1, ';tag=us')}\r\n`,
    });
    return { socket, peer };
  }
  const dialog = 'by-hand;from-tag=caller';

  test('brings a call, with nothing asked of it but our secret, and is let go after the BYE', async () => {
    const { socket, peer } = await bring();
    expect(await active(gateway)).toBe(1);
    peer.deliver({
      transaction: 'bye-1',
      dialog,
      sip: `BYE sip:100@127.0.0.1 SIP/2.0\r\n${headers('BYE', 2, ';tag=us')}\r\n`,
    });
    await peer.answerTo('bye-1', 200);
    await eventually('the connection is closed', () => socket.closed);
    expect(peer.frames.map(({ type }) => type)).toEqual(['authenticate', 'sip', 'sip']);
    expect([await active(gateway), await ended(gateway, 'hangup')]).toEqual([0, 1]);
  });

  test('brings a request that is too long: it is refused, counted and told to the operator', async () => {
    const peer = new DrachtioPeer(connect(port, '127.0.0.1'), 'to-them');
    peer.deliver({ transaction: 'long', sip: invite.replace('\r\n', `\r\nX-Long: ${'a'.repeat(5000)}\r\n`) });
    await peer.answerTo('long', 513);
    const counter = 'kallglot_refusals_total{code="message_too_large"}';
    await eventually('it is counted', async () => (await gateway.metric(counter)) === 1);
    const { body } = await gateway.rest('GET', '/v1/admin/refusals');
    expect(body.data).toMatchObject([{ code: 'message_too_large', status: 513, call_id: 'by-hand' }]);
  });

  test('takes its call with it when it goes', async () => {
    const { socket } = await bring();
    expect(await active(gateway)).toBe(1);
    socket.destroy();
    await eventually('the call is over', async () => (await active(gateway)) === 0);
    expect(await ended(gateway, 'engine_lost')).toBe(1);
    expect((await gateway.rest('GET', '/readyz')).status).toBe(200);
  });

  test('from an address that is not allowed is turned away before it hears our secret', async () => {
    const allowed = { allowed_ips: ['192.0.2.1'] };
    const files = { certificate: certificateFile('server'), key: keyFile('server') };
    const [first, second] = [await freeTcpPort(), await freeTcpPort()];
    const guarded = await start([
      { listen: { port: first, ...allowed } },
      { listen: { port: second, ...allowed, ...files } },
    ]);
    const plain = connect(first, '127.0.0.1');
    const peer = new DrachtioPeer(plain);
    const tls = connectTls({ port: second, host: '127.0.0.1', rejectUnauthorized: false });
    tls.on('error', () => undefined);
    let secured = false;
    tls.on('secureConnect', () => {
      secured = true;
    });
    await eventually('both are closed', () => plain.closed && tls.closed);
    expect([peer.frames, secured]).toEqual([[], false]);
    await guarded.stop();
  });

  test('over TLS it sees a renewed certificate after a reload, and a broken one never', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drachtio-tls-'));
    const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const put = (name: 'server' | 'renewed') => {
      copyFileSync(certificateFile(name), certificate);
      copyFileSync(keyFile(name), key);
    };
    put('server');
    const port = await freeTcpPort();
    const secured = await start([{ listen: { port, allowed_ips: ['127.0.0.1'], certificate, key } }]);
    const shown = async () => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { fingerprint256 } = socket.getPeerX509Certificate() as X509Certificate;
      return { socket, fingerprint: fingerprint256 };
    };
    const fingerprintOf = (name: 'server' | 'renewed') =>
      new X509Certificate(certificateOf(name)).fingerprint256;
    const before = await shown();
    expect(before.fingerprint).toBe(fingerprintOf('server'));
    put('renewed');
    secured.gateway.reload();
    const after = await shown();
    expect(after.fingerprint).toBe(fingerprintOf('renewed'));
    copyFileSync(keyFile('server'), key);
    secured.gateway.reload();
    const last = await shown();
    expect(last.fingerprint).toBe(fingerprintOf('renewed'));
    for (const { socket } of [before, after, last]) socket.destroy();
    await secured.stop();
    rmSync(folder, { recursive: true });
  });
});
