import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, keyFile } from '../support/certificates.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import type { PhoneCall } from '../support/phone-call.ts';
import { ENOUGH, heardFrom } from '../support/speaking.ts';
import type { CallOptions, TestPhone, TestPhoneOptions } from '../support/test-phone.ts';
import { tone } from '../support/tones.ts';
import { readWav, speechFile } from '../support/wav.ts';

const speech = readWav(speechFile).subarray(0, 8000);
const SECONDS = 5;
/** Known by its password alone; two calls are one too many. */
const neighbour = {
  id: 'neighbour',
  name: 'Neighbour',
  api_keys: ['sk_test_neighbour_0123456789'],
  sip: { username: 'neighbour', password: 'neighbour-password', concurrency_limit: 1, srtp: 'optional' },
};

interface Check {
  name: string;
  result: string;
  seen: string;
  advice: string | null;
}
interface Report {
  id: string;
  checks: Check[];
  [field: string]: unknown;
}

describe('self-test numbers', () => {
  let gateway: TestGateway;
  const phones: TestPhone[] = [];

  const settings = {
    sip: {
      listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0', 'tls:127.0.0.1:0'],
      tls: { certificate: certificateFile('server'), key: keyFile('server') },
      self_test: { echo: 'hear-me', seconds: SECONDS },
    },
  };
  const start = async (folder?: string) => {
    const options = { settings, organizations: [acme, neighbour] };
    gateway = await TestGateway.start(folder === undefined ? options : { ...options, folder });
  };
  beforeAll(() => start());
  afterAll(async () => {
    await Promise.all(phones.map((phone) => phone.stop()));
    await gateway.stop();
  });

  async function dial(
    user: string,
    options: TestPhoneOptions = {},
    call: CallOptions = {},
  ): Promise<PhoneCall> {
    const phone = await gateway.phone(options);
    phones.push(phone);
    return phone.call(`sip:${user}@${gateway.sipAddress(options.transport ?? 'udp')}`, call);
  }
  const idOf = (call: PhoneCall) => call.headers.get('x-kallglot-test') ?? '';
  const get = (id: string, key?: string) =>
    gateway.rest('GET', `/v1/telephony/sip/tests/${id}`, undefined, key);
  const list = (query = '', key?: string) =>
    gateway.rest('GET', `/v1/telephony/sip/tests${query}`, undefined, key);
  async function reportOf(call: PhoneCall, key?: string): Promise<Report> {
    const found = async () => (await get(idOf(call), key)).body as Report;
    await eventually('the test is over', async () => (await found()).status === 'completed');
    return found();
  }
  const resultOf = ({ checks }: Report, name: string) => checks.find((check) => check.name === name);

  test('echo: the caller hears itself; keys and hold are seen, and what was not is said', async () => {
    const call = await dial('hear-me');
    expect(call.status).toBe(200);
    expect(idOf(call)).toMatch(/^test_[0-9A-Z]{26}$/);
    expect(await heardFrom(call, call, speech)).toBeGreaterThan(ENOUGH);
    await call.media.sendDigit('4');
    expect((await call.reinvite({ direction: 'sendonly' })).status).toBe(200);
    expect((await call.reinvite({ direction: 'sendrecv' })).status).toBe(200);
    expect((await get(idOf(call))).body).toMatchObject({ kind: 'echo', status: 'running', ended_at: null });
    await call.bye();

    const report = await reportOf(call);
    expect(report).toMatchObject({ reason: 'hangup', ended_by: 'pbx' });
    expect(report.user_agent).toBe('TestPhone/1.0');
    const results = Object.fromEntries(report.checks.map(({ name, result }) => [name, result]));
    expect(results).toMatchObject({
      ...{ transport: 'ok', source: 'ok', via: 'ok', contact: 'ok', ack: 'ok', session_timer: 'not_seen' },
      ...{ audio_in: 'ok', audio_nat: 'ok', codec: 'ok', ptime: 'ok', dtmf: 'ok', hold: 'ok' },
    });
    // How good it was depends on this machine.
    expect(results).toMatchObject({
      loss: expect.any(String),
      jitter: expect.any(String),
      mos: expect.any(String),
    });
    expect(resultOf(report, 'hold')?.seen).toContain('taken back');
    expect(resultOf(report, 'source')?.seen).toContain('identified by its address');
    expect(JSON.stringify(report)).not.toContain('"4"');
  });

  test('test: begins and ends with a tone, hangs up by itself, and has no session; over TLS with SRTP', async () => {
    const secure: TestPhoneOptions = {
      transport: 'tls',
      host: '127.0.0.3',
      tls: { ca: certificateOf('ca') },
      username: 'neighbour',
      password: 'neighbour-password',
      srtp: 'AES_CM_128_HMAC_SHA1_80',
    };
    const key = neighbour.api_keys[0] as string;
    const startedAt = performance.now();
    const call = await dial('test', secure);
    const second = await dial('test', secure);
    expect([second.status, second.headers.get('x-kallglot-error')]).toEqual([486, 'concurrency_limit']);
    await call.media.play(tone(350, 500));
    const { by, reasonHeader } = await call.ended;
    expect(performance.now() - startedAt).toBeGreaterThan(SECONDS * 900);
    expect([by, reasonHeader]).toEqual(['remote', expect.stringContaining('hangup')]);
    const loud = call.media.heard.filter(({ payload }) => payload.some((byte) => (byte & 0x70) !== 0x70));
    expect(loud.length).toBeGreaterThan(50);

    const report = await reportOf(call, key);
    expect(report).toMatchObject({ kind: 'test', ended_by: 'gateway', reason: 'hangup' });
    expect(resultOf(report, 'transport')?.seen).toBe('TLS, with SRTP');
    expect(resultOf(report, 'source')?.seen).toContain('identified by its password');
    expect((await get(report.id)).body.error.code).toBe('test_not_found');
    expect(await gateway.metric('kallglot_calls_active')).toBe(0);
    expect((await dial('test', secure)).status).toBe(200);
  });

  test('finds loss, long packets, keys that cannot come, and an address that is not the one of the audio', async () => {
    const call = await dial(
      'test',
      { ptimeMs: 40, transport: 'tcp' },
      {
        sdp: (offer) =>
          offer
            .replace(/c=IN IP4 \S+/, 'c=IN IP4 192.168.7.9')
            .replace(/ 101\b/, '')
            .replace(/a=(rtpmap|fmtp):101.*\r\n/g, ''),
      },
    );
    expect(call.status).toBe(200);
    call.media.impairment = { drop: (n) => n % 5 === 3 };
    await call.media.play(tone(350, 2000));
    await call.bye();
    const report = await reportOf(call);
    expect(report.result).toBe('failed');
    const results = Object.fromEntries(report.checks.map(({ name, result }) => [name, result]));
    expect(results).toMatchObject({
      ...{ audio_nat: 'warning', ptime: 'warning', dtmf: 'warning', loss: 'failed', hold: 'not_seen' },
    });
    expect(resultOf(report, 'audio_nat')?.seen).toMatch(
      /SDP names 192\.168\.7\.9:\d+, but audio comes from 127/,
    );
    expect(resultOf(report, 'audio_nat')?.advice).toContain('external_media_address');
    expect(resultOf(report, 'ptime')?.seen).toContain('40 ms');
    expect(resultOf(report, 'transport')?.seen).toBe('TCP');
  });

  test('a call without audio is told where audio should have come', async () => {
    const call = await dial('TEST', {}, { sdp: (offer) => offer.replace('a=sendrecv', 'a=recvonly') });
    call.media.mute();
    await call.bye();
    const { checks } = await reportOf(call);
    const audio = checks.find(({ name }) => name === 'audio_in');
    expect(audio).toMatchObject({ result: 'failed', seen: 'No audio came from the PBX' });
    expect(audio?.advice).toMatch(/127\.0\.0\.1:2\d{4}/);
  });

  test('a stranger is challenged', async () => {
    const stranger = await dial('test', { host: '127.0.0.2', username: undefined, password: undefined });
    expect(stranger.status).toBe(401);
    expect(stranger.headers.get('x-kallglot-test')).toBeUndefined();
  });

  test('reports are listed newest first, counted, and are there after a restart', async () => {
    const all = (await list()).body;
    expect(all.data.map(({ kind }: Report) => kind)).toEqual(['test', 'test', 'echo']);
    const [newest, middle] = all.data as Report[];
    const page = (await list(`?limit=1&starting_after=${newest?.id}`)).body;
    expect([page.data[0].id, page.has_more]).toEqual([middle?.id, true]);
    const counted = ['ok', 'warning', 'failed'].map((result) =>
      gateway.metric(`kallglot_self_tests_total{kind="echo",result="${result}"}`),
    );
    expect((await Promise.all(counted)).reduce((sum, one) => sum + one)).toBe(1);
    expect(await gateway.metric('kallglot_rtp_packets_total{direction="in"}')).toBeGreaterThan(100);
    const { folder } = gateway;
    await gateway.stop({ keepStore: true });
    await start(folder);
    expect((await get(newest?.id ?? '')).body).toEqual(newest);
    // The call that was up at the stop has its report too.
    const { data } = (await list('', neighbour.api_keys[0])).body;
    expect(data.map(({ reason }: Report) => reason)).toEqual(['drained', 'hangup']);
  });
});
