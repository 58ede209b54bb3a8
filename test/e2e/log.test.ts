import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificateFile, certificateOf, keyFile } from '../support/certificates.ts';
import { FakePipeline } from '../support/fake-pipeline.ts';
import { acme, eventually, TestGateway } from '../support/gateway.ts';
import type { TestPhone } from '../support/test-phone.ts';
import { tone } from '../support/tones.ts';

const caller = '+4930901820';
const called = '+14155550123';
const tokenSecret = 'a-token-secret-that-nobody-may-see';
const organization = {
  ...acme,
  sip: { ...acme.sip, allowed_ips: [], require_digest: true, inbound_first: true, srtp: 'required' },
};

describe('the log and the record of a call', () => {
  let gateway: TestGateway;
  let pipeline: FakePipeline;
  let phone: TestPhone;
  const lines: string[] = [];

  beforeAll(async () => {
    pipeline = await FakePipeline.start();
    gateway = await TestGateway.start({
      organizations: [organization],
      settings: {
        sip: {
          listen: ['tls:127.0.0.1:0'],
          tls: { certificate: certificateFile('server'), key: keyFile('server') },
        },
        pipeline: { url: pipeline.url, token_secret: tokenSecret },
        log: { level: 'trace' },
      },
      onLogLine: (line) => void lines.push(line),
    });
    phone = await gateway.phone({
      transport: 'tls',
      tls: { ca: certificateOf('ca') },
      srtp: 'AES_CM_128_HMAC_SHA1_80',
    });
  });
  afterAll(async () => {
    await phone.stop();
    await gateway.stop();
    await pipeline.close();
  });

  test('name the call, tell its story, and hold no number, password, token or key', async () => {
    const call = await phone.call(`sip:${called}@${gateway.sipAddress('tls')}`, { from: caller });
    expect(call.status).toBe(200);
    const session = call.headers.get('x-kallglot-session') ?? '';
    await call.media.play(tone(350, 300));
    await call.media.sendDigit('7');
    expect((await call.reinvite({ direction: 'sendonly' })).status).toBe(200);
    expect((await call.reinvite({ direction: 'sendrecv' })).status).toBe(200);
    const link = pipeline.connections.at(-1);
    link?.sendRaw(Buffer.from('no frame of a WebSocket'));
    link?.reset();
    const shown = async () => (await gateway.rest('GET', `/v1/sessions/${session}/calls`)).body.data[0];
    await eventually('the link is back', async () => (await shown()).link.reconnects === 1);
    await call.bye({ Reason: 'Q.850;cause=0' });
    await eventually('it has ended', async () => (await shown()).status === 'ended');

    const record = await shown();
    expect(record).toMatchObject({
      ...{ from: expect.stringContaining(caller), transport: 'tls', user_agent: 'TestPhone/1.0', cause: 16 },
      ...{ hold: { count: 1, seconds: expect.any(Number) }, reason: 'hangup', ringing_at: null },
      ...{ link: { reconnects: 1 }, quality: { rtp_source: `127.0.0.1:${call.media.port}` } },
    });
    const times = ['started_at', 'answered_at', 'acknowledged_at', 'first_audio_out_at', 'ended_at'];
    const moments = times.map((name) => Date.parse(record[name]));
    expect(moments).toEqual([...moments].sort((a, b) => a - b));
    expect(Date.parse(record.first_audio_in_at)).toBeGreaterThan(0);

    const log = lines.join('');
    const kept = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'call record');
    expect(kept).toMatchObject({ session, leg: record.id, call_id: call.dialog.callId });
    expect(kept.record).toMatchObject({ holds: 1, link_reconnects: 1, cause: 16 });
    expect(kept.record.from_uri).toContain('sip:+********20@');
    expect(log).toContain(session);
    const authorization = call.invite?.headers.get('authorization') ?? '';
    const secrets = [
      ...[caller.slice(1), called.slice(1), organization.sip.password, organization.api_keys[0] as string],
      ...[
        tokenSecret,
        /response="([^"]+)"/.exec(authorization)?.[1],
        /inline:(\S{30})/.exec(call.answerSdp)?.[1],
      ],
      ...pipeline.connections.map(({ token }) => token),
    ];
    expect(secrets.length).toBeGreaterThan(8);
    for (const secret of secrets) {
      expect(secret).toMatch(/.{8}/);
      expect(log).not.toContain(secret);
    }
  });
});
