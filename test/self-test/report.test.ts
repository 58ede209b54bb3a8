import { describe, expect, test } from 'vitest';
import type { MediaStats } from '../../src/media/media-port.ts';
import { reportOf } from '../../src/self-test/report.ts';
import type { CallSeen, InviteSeen, MediaSeen } from '../../src/self-test/seen.ts';
import { noStats } from '../support/fake-rooms.ts';

/** A call with which all is well; what is not said is good. */
function seen(
  changes: Partial<Omit<CallSeen, 'invite' | 'media' | 'stats'>> & {
    invite?: Partial<InviteSeen>;
    media?: Partial<MediaSeen>;
    stats?: Partial<MediaStats>;
  } = {},
): CallSeen {
  const { invite, media, stats, ...rest } = changes;
  return {
    ...{ id: 'test_01J9ZQ3V5W8X7Y6T4R2P1N0M9K', organizationId: 'acme', kind: 'test' },
    ...{
      startedAt: 0,
      answeredAt: 100,
      endedAt: 60_100,
      acknowledged: true,
      reason: 'hangup',
      byPeer: false,
    },
    ...{ holds: 1, resumes: 1, keys: { rtp: 2, info: 0 }, ownMedia: '198.51.100.1:20000' },
    invite: {
      ...{ callId: 'a', from: 'sip:pbx@192.0.2.7', userAgent: null, transport: 'udp' },
      ...{ sourceAddress: '192.0.2.7', sourcePort: 5060, routed: false, identifiedBy: 'address' },
      ...{ via: { host: '192.0.2.7', port: 5060 }, contact: { host: '192.0.2.7', port: 5060 } },
      ...{ sessionExpires: '1800;refresher=uac', ...invite },
    },
    media: {
      ...{ codec: 'PCMU', ptimeMs: 20, srtp: null, remoteAddress: '192.0.2.7', remotePort: 11_000 },
      ...{ telephoneEvents: [{ payloadType: 101, clockRate: 8000 }], ...media },
    },
    stats: {
      ...noStats,
      ...{ packetsReceived: 3000, bytesReceived: 480_000, packetsSent: 3000, rtcpReceived: 12 },
      ...{ roundTripMs: 40, jitterMs: 2, source: '192.0.2.7:11000', ...stats },
    },
    ...rest,
  };
}
const check = (name: string, changes?: Parameters<typeof seen>[0]) =>
  reportOf(seen(changes), 0).checks.find((one) => one.name === name);

describe('the report of a self-test', () => {
  test('finds nothing to change where all is well', () => {
    const report = reportOf(seen(), 0);
    expect(report).toMatchObject({ result: 'ok', status: 'completed', duration_seconds: 60 });
    for (const { name, result, advice } of report.checks)
      expect([name, result, advice]).toEqual([name, 'ok', null]);
  });

  test('whatever is not well has an advice', () => {
    const bad = seen({
      ...{ acknowledged: false, holds: 0, keys: { rtp: 0, info: 0 } },
      invite: { sessionExpires: null, via: { host: '10.0.0.5', port: 5060 } },
      stats: { packetsReceived: 0, rtcpReceived: 0 },
    });
    const wanting = reportOf(bad, 0).checks.filter(({ result }) => result !== 'ok');
    expect(wanting.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['via', 'ack', 'session_timer', 'audio_in', 'audio_out', 'dtmf', 'hold']),
    );
    for (const { advice } of wanting) expect(advice).toMatch(/\.$/);
  });

  test.each([
    ['a private address in Via', { host: '10.0.0.5', port: 5060 }, 'udp', 'warning'],
    ['another port over UDP', { host: '192.0.2.7', port: 5061 }, 'udp', 'warning'],
    ['another port over TCP', { host: '192.0.2.7', port: 5061 }, 'tcp', 'ok'],
    ['a name', { host: 'pbx.example.com', port: 5060 }, 'udp', 'ok'],
  ] as const)('%s is %s over %s: %s', (_what, via, transport, result) => {
    expect(check('via', { invite: { via, transport } })?.result).toBe(result);
    expect(check('contact', { invite: { contact: via, transport } })?.result).toBe(result);
  });

  test('behind proxies that stay in the way a Contact may be any', () => {
    const contact = { host: '10.0.0.5', port: 5060 };
    expect(check('contact', { invite: { contact, routed: true } })?.result).toBe('ok');
    expect(check('via', { invite: { sourcePort: null } })?.result).toBe('not_seen');
  });

  test('audio from elsewhere than the SDP says shows a NAT', () => {
    const audio = check('audio_nat', { media: { remoteAddress: '192.168.1.9' } });
    expect(audio).toMatchObject({ result: 'warning' });
    expect(audio?.seen).toBe(
      'The SDP names 192.168.1.9:11000, but audio comes from 192.0.2.7:11000: there is a NAT in between',
    );
  });

  test.each([
    ['no packet', {}, 'No audio came from the PBX', '198.51.100.1:20000'],
    ['strangers', { packetsDroppedBySource: 7 }, 'neither that of the SDP', 'external_media_address'],
    ['a wrong key', { packetsDroppedUnauthentic: 7 }, 'do not fit the SRTP key', 'a=crypto'],
  ])('of %s it says what to look for', (_what, stats, words, advice) => {
    const audio = check('audio_in', { stats: { packetsReceived: 0, ...stats } });
    expect(audio).toMatchObject({ result: 'failed' });
    expect(audio?.seen).toContain(words);
    expect(audio?.advice).toContain(advice);
  });

  test.each([
    [480_000, 3000, 'ok', '20 ms'],
    [480_000, 6000, 'warning', '10 ms'],
    [480_000, 1000, 'warning', '60 ms'],
  ])('%i bytes in %i packets: %s, %s', (bytesReceived, packetsReceived, result, words) => {
    const time = check('ptime', { stats: { bytesReceived, packetsReceived } });
    expect(time?.result).toBe(result);
    expect(time?.seen).toContain(words);
  });

  test('of a call that only pressed keys nothing is said of the audio', () => {
    const stats = { bytesReceived: 120, packetsReceived: 30 };
    expect(check('audio_in', { stats })).toMatchObject({ result: 'not_seen', advice: 'Speak in the call.' });
    expect(check('ptime', { stats })).toBeUndefined();
  });

  test('loss, jitter, delay and MOS are graded', () => {
    const results = (stats: Partial<MediaStats>) =>
      ['loss', 'jitter', 'mos', 'round_trip', 'audio_out'].map((name) => check(name, { stats })?.result);
    expect(results({ packetsLost: 130, jitterMs: 45, roundTripMs: 400, peerPacketsLost: 60 })).toEqual([
      ...['warning', 'warning', 'warning', 'warning', 'warning'],
    ]);
    expect(results({ packetsLost: 900, jitterMs: 150, roundTripMs: 900, peerPacketsLost: 900 })).toEqual([
      ...['failed', 'failed', 'failed', 'failed', 'failed'],
    ]);
  });

  test('SRTP whose keys come by UDP is worth a warning', () => {
    const media = { srtp: 'AES_CM_128_HMAC_SHA1_80' };
    expect(check('transport', { media })?.result).toBe('warning');
    expect(check('transport', { media, invite: { transport: 'tls' } })?.result).toBe('ok');
  });

  test('a hold that is not taken back, and an answer that was never acknowledged, are told', () => {
    expect(check('hold', { holds: 2, resumes: 1 })?.result).toBe('warning');
    expect(check('ack', { acknowledged: false, reason: 'ack_timeout' })).toMatchObject({
      ...{ result: 'failed', seen: 'The answer (200) was never acknowledged' },
    });
  });
});
