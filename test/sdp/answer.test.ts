import { describe, expect, test } from 'vitest';
import { refusals } from '../../src/errors.ts';
import {
  answer,
  asteriskOffer,
  freeswitchOffer,
  linesOf,
  local6,
  offer,
  offerFrom,
  refusalOf,
  session,
} from './offers.ts';

describe('the codec', () => {
  const both = offer('m=audio 4000 RTP/AVP 8 0');

  test('follows the offer without a preference of the trunk', () => {
    expect(answer(both).media).toMatchObject({ codec: 'PCMA', payloadType: 8 });
  });

  test("follows the trunk's order of preference where there is one", () => {
    expect(answer(both, { codecs: ['PCMU', 'PCMA'] }).media).toMatchObject({ codec: 'PCMU', payloadType: 0 });
    expect(answer(offer('m=audio 4000 RTP/AVP 8'), { codecs: ['PCMU', 'PCMA'] }).media.codec).toBe('PCMA');
  });

  test('is not one that the trunk leaves out', () => {
    expect(refusalOf(() => answer(offer('m=audio 4000 RTP/AVP 8'), { codecs: ['PCMU'] })).code).toBe(
      'no_common_codec',
    );
  });

  test('needs no rtpmap for a static payload type', () => {
    expect(linesOf(answer(offer('m=audio 4000 RTP/AVP 0')).sdp, 'a=rtpmap')).toEqual([
      'a=rtpmap:0 PCMU/8000',
    ]);
  });

  test('is found by name under a dynamic payload type, in any case, and answered under that', () => {
    const { sdp, media } = answer(offer('m=audio 4000 RTP/AVP 96', 'a=rtpmap:96 pcma/8000/1'));
    expect(media).toMatchObject({ codec: 'PCMA', payloadType: 96 });
    expect(sdp).toContain('m=audio 20000 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000\r\n');
  });

  test.each(['a=rtpmap:0 L16/8000', 'a=rtpmap:0 PCMU/16000', 'a=rtpmap:0 PCMU/8000/2'])(
    'is not taken by number alone when the offer says %s',
    (rtpmap) => {
      expect(refusalOf(() => answer(offer('m=audio 4000 RTP/AVP 0', rtpmap))).code).toBe('no_common_codec');
    },
  );

  test('in common is missing: 488 with what was offered', () => {
    const refusal = refusalOf(() => answer(offer('m=audio 4000 RTP/AVP 18 111', 'a=rtpmap:111 speex/16000')));
    expect(refusal.code).toBe('no_common_codec');
    expect(refusal.detail).toBe('offered: G729, SPEEX');
    expect(refusals.no_common_codec.text).toBe('no codec in common (PCMU, PCMA, G722, opus)');
  });

  test('G.722 is answered as it stands: 8000, whatever its samples', () => {
    for (const rtpmap of [[], ['a=rtpmap:9 G722/8000']]) {
      const { sdp, media } = answer(offer('m=audio 4000 RTP/AVP 9 0', ...rtpmap));
      expect(media).toMatchObject({ codec: 'G722', payloadType: 9 });
      expect(sdp).toContain('m=audio 20000 RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n');
    }
    expect(answer(offer('m=audio 4000 RTP/AVP 9 0', 'a=rtpmap:9 G722/16000')).media.codec).toBe('PCMU');
  });

  test("names all those of the trunk's list that are offered, in its order, and no other", () => {
    const all = offer('m=audio 4000 RTP/AVP 0 8 9 96', 'a=rtpmap:96 opus/48000/2');
    expect(answer(all, { codecs: ['opus', 'G722'] }).media.codec).toBe('opus');
    expect(answer(all, { codecs: ['G722', 'opus'] }).media.codec).toBe('G722');
    expect(answer(all, { codecs: ['PCMA'] }).media.codec).toBe('PCMA');
  });
});

describe('Opus', () => {
  const opusOffer = (...more: string[]) =>
    offer('m=audio 4000 RTP/AVP 96 101 102', 'a=rtpmap:96 opus/48000/2', ...more);
  const wanted = (fmtp: string) => answer(opusOffer(`a=fmtp:96 ${fmtp}`)).media.opus;

  test('is answered with two channels and the wish for in-band FEC, and has events at its own clock', () => {
    const { sdp, media } = answer(
      opusOffer('a=rtpmap:101 telephone-event/8000', 'a=rtpmap:102 telephone-event/48000'),
    );
    expect(linesOf(sdp, 'm=')).toEqual(['m=audio 20000 RTP/AVP 96 102']);
    expect(linesOf(sdp, 'a=rtpmap')).toEqual([
      'a=rtpmap:96 opus/48000/2',
      'a=rtpmap:102 telephone-event/48000',
    ]);
    expect(linesOf(sdp, 'a=fmtp')).toEqual(['a=fmtp:96 useinbandfec=1', 'a=fmtp:102 0-15']);
    expect(media).toMatchObject({
      codec: 'opus',
      payloadType: 96,
      telephoneEvents: [{ payloadType: 102, clockRate: 48_000 }],
    });
  });

  test('takes events at 8 kHz where there are no others', () => {
    expect(answer(opusOffer('a=rtpmap:101 telephone-event/8000')).media.telephoneEvents[0]).toEqual({
      payloadType: 101,
      clockRate: 8000,
    });
  });

  test('without two channels, or at another rate, is not Opus', () => {
    for (const rtpmap of ['opus/48000', 'opus/48000/1', 'opus/16000/2']) {
      const text = offer('m=audio 4000 RTP/AVP 96 0', `a=rtpmap:96 ${rtpmap}`);
      expect(answer(text).media.codec).toBe('PCMU');
    }
  });

  test('without a word about it is sent as we like, without FEC and DTX', () => {
    const plain = {
      maxAverageBitrate: null,
      maxPlaybackRateHz: 48_000,
      inbandFec: false,
      dtx: false,
      constantBitrate: false,
    };
    expect(answer(opusOffer()).media.opus).toEqual(plain);
    expect(wanted('minptime=10;stereo=1;sprop-stereo=1;sprop-maxcapturerate=16000')).toEqual(plain);
    expect(answer(offer('m=audio 4000 RTP/AVP 0')).media).not.toHaveProperty('opus');
  });

  test('is sent as the peer wants it', () => {
    expect(
      wanted('maxplaybackrate=16000; MaxAverageBitrate=20000 ;useinbandfec=1; usedtx=1;cbr=1;stereo=0'),
    ).toEqual({
      maxAverageBitrate: 20_000,
      maxPlaybackRateHz: 16_000,
      inbandFec: true,
      dtx: true,
      constantBitrate: true,
    });
  });

  test.each([
    ['maxaveragebitrate=5999', { maxAverageBitrate: null }],
    ['maxaveragebitrate=510001', { maxAverageBitrate: null }],
    ['maxaveragebitrate=1e5', { maxAverageBitrate: null }],
    ['maxplaybackrate=0', { maxPlaybackRateHz: 48_000 }],
    ['maxplaybackrate=', { maxPlaybackRateHz: 48_000 }],
    ['useinbandfec=2', { inbandFec: false }],
    ['useinbandfec', { inbandFec: false }],
    [';;=;useinbandfec=1=1;', { inbandFec: true }],
  ])('%s counts as far as it makes sense', (fmtp, expected) => {
    expect(wanted(fmtp)).toMatchObject(expected);
  });
});

describe('telephone-event and comfort noise', () => {
  test('telephone-event is echoed with the payload type of the offer and the events 0 to 15', () => {
    const { sdp, media } = answer(offer('m=audio 4000 RTP/AVP 0 97', 'a=rtpmap:97 telephone-event/8000'));
    expect(sdp).toContain('m=audio 20000 RTP/AVP 0 97\r\n');
    expect(linesOf(sdp, 'a=fmtp')).toEqual(['a=fmtp:97 0-15']);
    expect(media.telephoneEvents).toEqual([{ payloadType: 97, clockRate: 8000 }]);
  });

  test('telephone-event at another clock rate than the codec is not answered', () => {
    const { sdp, media } = answer(offer('m=audio 4000 RTP/AVP 0 97', 'a=rtpmap:97 telephone-event/48000'));
    expect(sdp).not.toContain('telephone-event');
    expect(media.telephoneEvents).toEqual([]);
  });

  test('comfort noise is accepted but not answered', () => {
    const { sdp, media } = answer(freeswitchOffer);
    expect(sdp).toContain('m=audio 20000 RTP/AVP 0 101\r\n');
    expect(sdp).not.toMatch(/CN|\b13\b/);
    expect(media).toMatchObject({
      telephoneEvents: [{ payloadType: 101, clockRate: 8000 }],
      comfortNoisePayloadType: 13,
    });
  });
});

describe('the m= lines', () => {
  test('keep their count and order, and all but the audio are refused with port 0, protocol and formats echoed', () => {
    const { sdp } = answer(
      offer(
        'm=video 4010 RTP/AVPF 99 100',
        'a=rtpmap:99 H264/90000',
        'm=audio 4000 RTP/AVP 0',
        'm=image 4020 udptl t38',
        'm=application 4030 UDP/DTLS/SCTP webrtc-datachannel',
        'm=x-odd 4040 TCP/MRCP-v2 1',
      ),
    );
    expect(linesOf(sdp, 'm=')).toEqual([
      'm=video 0 RTP/AVPF 99 100',
      'm=audio 20000 RTP/AVP 0',
      'm=image 0 udptl t38',
      'm=application 0 UDP/DTLS/SCTP webrtc-datachannel',
      'm=x-odd 0 TCP/MRCP-v2 1',
    ]);
  });

  test('of several audio lines the first usable one is taken', () => {
    const { sdp, media } = answer(
      offer(
        'm=audio 0 RTP/AVP 0',
        'm=audio 4000 RTP/AVP 18',
        'm=audio 4002 RTP/AVP 8',
        'm=audio 4004 RTP/AVP 0',
      ),
    );
    expect(linesOf(sdp, 'm=')).toEqual([
      'm=audio 0 RTP/AVP 0',
      'm=audio 0 RTP/AVP 18',
      'm=audio 20000 RTP/AVP 8',
      'm=audio 0 RTP/AVP 0',
    ]);
    expect(media.remotePort).toBe(4002);
  });

  test('RTP/AVPF is plain, and answered as it was offered', () => {
    expect(answer(offer('m=audio 4000 RTP/AVPF 0')).sdp).toContain('m=audio 20000 RTP/AVPF 0');
  });

  test('DTLS-SRTP alone has no usable line', () => {
    const refusal = refusalOf(() => answer(offer('m=audio 4000 UDP/TLS/RTP/SAVPF 0')));
    expect(refusal.detail).toContain('UDP/TLS/RTP/SAVPF');
  });

  test.each([
    ['no m= line', []],
    ['video alone', ['m=video 4000 RTP/AVP 99']],
    ['audio with port 0', ['m=audio 0 RTP/AVP 0']],
    ['audio over several ports', ['m=audio 4000/2 RTP/AVP 0']],
  ])('%s: 488', (_, lines) => {
    const refusal = refusalOf(() => answer(offer(...lines)));
    expect([refusal.code, refusal.detail]).toEqual(['no_common_codec', 'no audio line with a port']);
  });
});

describe('where RTP and RTCP go', () => {
  test('the c= of the line comes before that of the session', () => {
    expect(answer(offer('m=audio 4000 RTP/AVP 0', 'c=IN IP4 203.0.113.5')).media.remoteAddress).toBe(
      '203.0.113.5',
    );
    expect(answer(offer('m=audio 4000 RTP/AVP 0')).media.remoteAddress).toBe('192.0.2.7');
  });

  test('an unusable c= of a line that is refused does not matter', () => {
    const text = offer('m=video 4010 RTP/AVP 99', 'c=IN IP4 pbx.example.com', 'm=audio 4000 RTP/AVP 0');
    expect(answer(text).media.remoteAddress).toBe('192.0.2.7');
  });

  test('RTCP goes to the port above', () => {
    expect(answer(offer('m=audio 4000 RTP/AVP 0')).media).toMatchObject({
      remotePort: 4000,
      remoteRtcpPort: 4001,
      rtcpMux: false,
    });
  });

  test('RTCP above port 65535 goes nowhere', () => {
    expect(answer(offer('m=audio 65535 RTP/AVP 0')).media.remoteRtcpPort).toBe(0);
  });

  test('a=rtcp names the port', () => {
    expect(answer(offer('m=audio 4000 RTP/AVP 0', 'a=rtcp:5005')).media).toMatchObject({
      remoteRtcpPort: 5005,
      remoteRtcpAddress: '192.0.2.7',
    });
  });

  test('a=rtcp names the address as well', () => {
    expect(answer(offer('m=audio 4000 RTP/AVP 0', 'a=rtcp:5005 IN IP4 203.0.113.8')).media).toMatchObject({
      remoteAddress: '192.0.2.7',
      remoteRtcpPort: 5005,
      remoteRtcpAddress: '203.0.113.8',
    });
  });

  test('a=rtcp-mux is echoed when offered, and puts RTCP on the RTP port whatever a=rtcp says', () => {
    const { sdp, media } = answer(offer('m=audio 4000 RTP/AVP 0', 'a=rtcp:5005', 'a=rtcp-mux'));
    expect(linesOf(sdp, 'a=rtcp')).toEqual(['a=rtcp-mux']);
    expect(media).toMatchObject({ rtcpMux: true, remoteRtcpPort: 4000 });
  });

  test('a=rtcp-mux is not answered when it was not offered', () => {
    expect(answer(freeswitchOffer).sdp).not.toContain('rtcp-mux');
  });

  test('IPv6 is answered with IPv6', () => {
    const { sdp, media } = session().answer(offerFrom('IN IP6 2001:db8::9'), local6);
    expect(media).toMatchObject({ family: 6, remoteAddress: '2001:db8::9' });
    expect(linesOf(sdp, 'c=')).toEqual(['c=IN IP6 2001:db8::1']);
    expect(linesOf(sdp, 'o=')).toEqual(['o=- 4711 1 IN IP6 2001:db8::1']);
  });

  test('an offer of the family that our leg does not have is refused', () => {
    const refusal = refusalOf(() => answer(offerFrom('IN IP6 2001:db8::9')));
    expect(refusal.code).toBe('no_common_codec');
    expect(refusal.detail).toBe('media over IPv6 cannot reach this IPv4 leg');
  });
});

describe('ptime', () => {
  test.each([
    ['none', [], 20],
    ['a=ptime:30', ['a=ptime:30'], 20],
    ['a=ptime:10', ['a=ptime:10'], 20],
    ['a=maxptime:20', ['a=maxptime:20'], 20],
    ['a=maxptime:150', ['a=ptime:60', 'a=maxptime:150'], 20],
    ['a=maxptime:10', ['a=maxptime:10'], 10],
    ['a=maxptime:0, which is nonsense', ['a=maxptime:0'], 20],
  ])('%s: 20 ms, less only below a=maxptime', (_, attributes, expected) => {
    const { sdp, media } = answer(offer('m=audio 4000 RTP/AVP 0', ...attributes));
    expect(media.ptimeMs).toBe(expected);
    expect(linesOf(sdp, 'a=ptime')).toEqual([`a=ptime:${expected}`]);
    expect(sdp).not.toContain('maxptime');
  });
});

test("the answer to Asterisk's offer, whole", () => {
  expect(answer(asteriskOffer).sdp.trimEnd().split('\r\n')).toEqual([
    'v=0',
    'o=- 4711 1 IN IP4 198.51.100.1',
    's=-',
    'c=IN IP4 198.51.100.1',
    't=0 0',
    'm=audio 20000 RTP/AVP 107 101',
    'a=rtpmap:107 opus/48000/2',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:107 useinbandfec=1',
    'a=fmtp:101 0-15',
    'a=ptime:20',
    'a=sendrecv',
  ]);
});

test('t= is mirrored, bandwidth and other attributes are not', () => {
  const text = offer(
    'b=AS:64',
    'a=group:BUNDLE 0',
    'm=audio 4000 RTP/AVP 0',
    'a=mid:0',
    'a=ice-ufrag:x',
    'a=silenceSupp:off - - - -',
  );
  expect(answer(text.replace('t=0 0', 't=3900000000 3900003600')).sdp).toContain(
    't=3900000000 3900003600\r\n',
  );
  expect(answer(text).sdp).not.toMatch(/b=|group|mid|ice|silence/);
});

test('a t= that is no pair of numbers is answered with 0 0', () => {
  const text = offer('m=audio 4000 RTP/AVP 0');
  expect(answer(text.replace('t=0 0', `t=${'9'.repeat(400)} 0`)).sdp).toContain('t=0 0\r\n');
});
