import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type MetricRow, metricTable } from '../../src/telemetry/metric-table.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { encode } from '../support/g711.ts';
import { TestGateway } from '../support/gateway.ts';
import { compareHeard } from '../support/heard.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import type { TestPhone } from '../support/test-phone.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile).subarray(0, 8000);

const invite = (changes: Record<string, string | undefined> = {}, body = '') => {
  const headers: Record<string, string | undefined> = {
    Via: 'SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKbad',
    From: '<sip:bad@127.0.0.1>;tag=bad',
    To: '<sip:x@127.0.0.1>',
    'Call-ID': 'bad-input',
    CSeq: '1 INVITE',
    Contact: '<sip:bad@127.0.0.1:9>',
    'Max-Forwards': '70',
    'Content-Length': String(Buffer.byteLength(body)),
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return `INVITE sip:x@127.0.0.1 SIP/2.0\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
};

const brokenSip: [string, string][] = [
  ['nothing', ''],
  ['only line ends', '\r\n\r\n\r\n'],
  ['noise', '\x00\xff\x01\x80'.repeat(300)],
  ['an HTTP request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a start line alone', 'INVITE sip:x@127.0.0.1 SIP/2.0\r\n'],
  ['no Call-ID', invite({ 'Call-ID': undefined })],
  ['no From', invite({ From: undefined })],
  ['a From of spaces', invite({ From: ' '.repeat(3000) })],
  ['a pipe in the Call-ID', invite({ 'Call-ID': 'a|b|c' })],
  ['a percent-encoded method', invite().replace('INVITE', 'INV%49TE')],
  ['a CSeq beyond 2^31', invite({ CSeq: '4294967296 INVITE' })],
  ['a CSeq of another method', invite({ CSeq: '1 BYE' })],
  ['a negative length', invite({ 'Content-Length': '-1' })],
  ['a length beyond the datagram', invite({ 'Content-Length': '9999' }, 'v=0')],
  ['a header of 10 kB', invite({ Subject: 'x'.repeat(10_000) })],
  ['1,000 headers', invite(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`X-H${i}`, 'x'])))],
  ['100 Vias', invite({ Via: Array(100).fill('SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx').join(', ') })],
  ['version 7', invite().replace('SIP/2.0\r\n', 'SIP/7.0\r\n')],
  [
    'a response to nothing',
    'SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\n\r\n',
  ],
  [
    'a BYE to nothing',
    invite({ CSeq: '2 BYE', To: '<sip:x@127.0.0.1>;tag=none' }).replace('INVITE sip', 'BYE sip'),
  ],
  ['an unterminated quote', invite({ From: '"unterminated <sip:bad@127.0.0.1>;tag=1' })],
];

const brokenSdp: [string, (sdp: string) => string][] = [
  ['is no SDP', () => 'hello'],
  ['has no media', (sdp) => sdp.slice(0, sdp.indexOf('m='))],
  ['has a host name for its address', (sdp) => sdp.replaceAll('127.0.0.1', 'phone.example.com')],
  ['has port 70000', (sdp) => sdp.replace(/m=audio \d+/, 'm=audio 70000')],
  ['has a multicast address', (sdp) => sdp.replaceAll('IP4 127.0.0.1', 'IP4 224.0.0.1')],
  [
    'has 2,000 payload types',
    (sdp) => sdp.replace(/(m=audio \d+ RTP\/AVP).*/, `$1 ${Array(2000).fill('0').join(' ')}`),
  ],
  ['has 500 media lines', (sdp) => sdp + 'm=audio 4000 RTP/AVP 0\r\n'.repeat(500)],
  ['is 13 kB long', (sdp) => sdp + `a=x:${'y'.repeat(1000)}\r\n`.repeat(13)],
];

/** RTP that is none, or not of this call. */
const brokenRtp = [
  Buffer.alloc(0),
  Buffer.from([0x80]),
  Buffer.alloc(11, 0x80),
  Buffer.alloc(1500, 0xff),
  Buffer.concat([Buffer.from([0x8f, 0, 0, 1]), Buffer.alloc(12)]), // 15 CSRCs that are not there
  Buffer.concat([Buffer.from([0xb0, 0, 0, 1]), Buffer.alloc(8), Buffer.from([0, 0, 0xff, 0xff])]), // extension beyond the end
  Buffer.concat([Buffer.from([0xa0, 0, 0, 1]), Buffer.alloc(9), Buffer.from([0xff])]), // padding beyond the start
  Buffer.concat([Buffer.from([0x80, 96, 0, 1]), Buffer.alloc(168)]), // a payload type that was not negotiated
  Buffer.concat([Buffer.from([0x00, 0x01]), Buffer.alloc(18)]), // STUN
];

const brokenFrames = [
  'no JSON',
  '[]',
  'null',
  '"text"',
  '{"type":7}',
  '{"type":"audio.output"}',
  '{"type":"audio.output","speaker":"customer","audio":{"encoding":"mp3","sample_rate_hz":8000,"payload":"AAAA"}}',
  '{"type":"audio.output","speaker":"customer","audio":{"encoding":"mulaw","sample_rate_hz":12345,"payload":"AAAA"}}',
  '{"type":"audio.output","speaker":"nobody","audio":{"encoding":"mulaw","sample_rate_hz":8000,"payload":"AAAA"}}',
  '{"type":"audio.output","speaker":"agent","audio":{"encoding":"pcm_16","sample_rate_hz":8000,"payload":"AAA!"}}',
  '{"type":"transcript.final"}',
  '{"type":"unheard.of"}',
  `{"type":"pong","padding":"${'x'.repeat(200_000)}"}`,
];

describe('bad input costs its sender only', () => {
  let gateway: TestGateway;
  let pipeline: FakePipeline;
  let bystander: PhoneCall;
  const phones: TestPhone[] = [];

  beforeAll(async () => {
    pipeline = await FakePipeline.start();
    gateway = await TestGateway.start({ settings: { pipeline: { url: pipeline.url } } });
    bystander = await (await phone()).call(gateway.uri(await gateway.session()));
    expect(bystander.status).toBe(200);
  });
  afterAll(async () => {
    await Promise.all(phones.map((one) => one.stop()));
    await gateway.stop();
    await pipeline.close();
  });

  /** After every kind of bad input the gateway carries the next call, and the call that is up is still up. */
  afterEach(async () => {
    const call = await (await phone()).call(gateway.uri(await gateway.session()));
    expect(call.status).toBe(200);
    expect((await call.bye()).status).toBe(200);
    expect(bystander.isUp).toBe(true);
    expect((await bystander.options()).status).toBe(200);
  });

  async function phone(): Promise<TestPhone> {
    const made = await gateway.phone();
    phones.push(made);
    return made;
  }

  const sipPort = (transport: 'udp' | 'tcp') => Number(gateway.sipAddress(transport).split(':')[1]);

  test.each(brokenSip)('SIP over UDP: %s', async (_name, text) => {
    const socket = createSocket('udp4');
    const bytes = Buffer.from(text, 'latin1');
    await new Promise((resolve) => socket.send(bytes, sipPort('udp'), '127.0.0.1', resolve));
    socket.close();
  });

  test.each(brokenSip)('SIP over TCP: %s', async (_name, text) => {
    const socket = connect(sipPort('tcp'), '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.write(Buffer.from(text, 'latin1'), () => resolve()));
    socket.destroy();
  });

  test('a TCP connection that is cut in the middle of a message', async () => {
    const socket = connect(sipPort('tcp'), '127.0.0.1');
    const text = invite({ Via: 'SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKcut', 'Content-Length': '500' });
    await new Promise<void>((resolve) => socket.write(text, () => resolve()));
    socket.resetAndDestroy();
  });

  test.each(brokenSdp)('SDP that %s is refused', async (_name, change) => {
    const call = await (await phone()).call(gateway.uri(await gateway.session()), { sdp: change });
    expect([400, 488, 513]).toContain(call.status);
  });

  test.each(brokenSdp)(
    'a re-INVITE whose SDP %s is refused, and the call goes on as it was',
    async (_name, change) => {
      const call = await (await phone()).call(gateway.uri(await gateway.session()));
      const { status } = await call.reinvite({ sdp: change(call.localSdp()) });
      expect([400, 488, 513]).toContain(status);
      expect(call.isUp).toBe(true);
      await call.bye();
    },
  );

  test('RTP that is none does not reach the pipeline, and speech still does', async () => {
    const id = await gateway.session();
    const call = await (await phone()).call(gateway.uri(id));
    for (const bytes of brokenRtp) {
      call.media.sendRaw(bytes);
      call.media.sendRtcp(bytes);
    }
    await call.media.play(speech);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const connection = pipeline.connections.find((one) => one.headers['x-kallglot-session'] === id);
    const received = connection?.audio('customer') ?? Buffer.alloc(0);
    expect(received.includes(encode('PCMU', speech).subarray(2000, 6000))).toBe(true);
    await call.bye();
  });

  test('frames of the pipeline that are not of the dialect are passed over, and its audio is still played', async () => {
    const id = await gateway.session();
    const call = await (await phone()).call(gateway.uri(id));
    const connection = pipeline.connections.find((one) => one.headers['x-kallglot-session'] === id);
    for (const frame of brokenFrames) connection?.send(frame);
    connection?.sendBinary(Buffer.alloc(500, 7));
    connection?.say('agent', Buffer.from(encode('PCMU', speech)));
    await new Promise((resolve) => setTimeout(resolve, 1800));
    expect(compareHeard(encode('PCMU', speech), call.media.heard).speechMatched).toBe(1);
    await call.bye();
  });

  test.each([
    ['GET', '/v1/sessions/%00', undefined],
    ['GET', `/v1/sessions/${'x'.repeat(5000)}`, undefined],
    ['POST', '/v1/sessions', '{'],
    ['POST', '/v1/sessions', '{"mode":{"$ne":null}}'],
    ['POST', '/v1/sessions', `[${'['.repeat(20_000)}`],
    ['POST', "/v1/sessions/' or 1=1 --/end", undefined],
    ['DELETE', '/v1/sessions', undefined],
  ])('REST: %s %s is answered as an error of the client', async (method, path, body) => {
    const { status } = await gateway.rest(method, path, body);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  });

  test('whatever callers, clients and the pipeline call themselves, it names no series of the metrics', async () => {
    const [first, second] = ['Zork1x', 'Zork2y'];
    await nameEverything(first);
    // A scrape is an answer too, and the first one is counted by the second.
    await series();
    const before = await series();
    expect(before.length).toBeGreaterThan(200);
    await nameEverything(second);
    const after = await series();
    expect(after).toEqual(before);
    expect(after.filter((one) => /zork/i.test(one))).toEqual([]);
    const unknown = after.flatMap((one) => {
      const [, metric = '', text = ''] = /^kallglot_(\w+?)(?:_bucket)?\{(.*)\}$/.exec(one) ?? [];
      const labels = (metricTable as Record<string, MetricRow>)[metric]?.labels ?? {};
      return [...text.matchAll(/(\w+)="([^"]*)"/g)].filter(
        ([, label = '', value = '']) => Array.isArray(labels[label]) && !labels[label].includes(value),
      );
    });
    expect(unknown).toEqual([]);
  });

  /** The word, as everything that somebody else names. */
  async function nameEverything(word: string): Promise<void> {
    const caller = await gateway.phone({ userAgent: word });
    phones.push(caller);
    const to = (user: string) => `sip:${user}@${gateway.sipAddress()}`;
    const id = await gateway.session();
    const call = await caller.call(to(id), {
      from: word,
      headers: { Subject: word, 'X-Kallglot-Error': word },
    });
    expect(call.status).toBe(200);
    const link = pipeline.connections.find((one) => one.headers['x-kallglot-session'] === id);
    link?.send(JSON.stringify({ type: 'error', code: word, message: word }));
    link?.send(JSON.stringify({ type: word }));
    await call.info(`application/${word}`, word);
    await call.info('application/dtmf-relay', `Signal=${word}\r\nDuration=100\r\n`);
    await call.request(word.toUpperCase());
    await call.bye({ Reason: `${word};cause=${word};text="${word}"` });
    const roleOf = { 'X-Kallglot-Role': word };
    const statuses = [
      (await caller.call(to(await gateway.session()), { headers: roleOf })).status,
      (await caller.call(to(word))).status,
      (await caller.call(to(await gateway.session()), { sdp: word })).status,
      (await caller.request(word.toUpperCase(), to(word))).status,
      (await caller.request('REGISTER', to(word), { from: word })).status,
      (await caller.request('OPTIONS', to(word), { headers: { 'User-Agent': word } })).status,
      (await gateway.rest('GET', `/v1/${word}`)).status,
      (await gateway.rest('POST', '/v1/sessions', { mode: word, routing: { type: word } })).status,
      (await gateway.rest('GET', `/v1/sessions/${word}`, undefined, word)).status,
      (await gateway.rest('POST', `/v1/carriers/${word}/voice`, { CallSid: word })).status,
      (await gateway.rest('POST', '/v1/carriers/twilio/voice', `AccountSid=${word}`)).status,
    ];
    // But for REGISTER, which asks for bindings, and OPTIONS.
    expect(statuses.filter((status) => status < 400)).toEqual([200, 200]);
    const { host } = new URL(gateway.gateway.apiUrl);
    const stream = new WebSocket(`ws://${host}/v1/sessions/${word}/stream?token=${word}`);
    await once(stream, 'error');
  }

  /** All that the gateway's own metrics are made of. */
  async function series(): Promise<string[]> {
    const text: string = (await gateway.rest('GET', '/metrics')).body;
    const lines = text.split('\n').filter((line) => line.startsWith('kallglot_'));
    return lines.map((line) => line.slice(0, line.lastIndexOf(' '))).sort();
  }
});
