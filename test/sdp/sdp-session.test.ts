import { describe, expect, test } from 'vitest';
import { SdpSession } from '../../src/sdp/sdp-session.ts';
import {
  answer,
  asteriskOffer,
  freeswitchHold,
  freeswitchOffer,
  freeswitchUnhold,
  linesOf,
  local,
  offer,
  offerFrom,
  refusalOf,
  sdp,
  session,
} from './offers.ts';

const originOf = (text: string) => linesOf(text, 'o=')[0];

describe('direction and hold', () => {
  test.each([
    ['sendrecv', 'sendrecv', false],
    ['sendonly', 'recvonly', true],
    ['recvonly', 'sendonly', false],
    ['inactive', 'inactive', true],
  ])('%s is answered with %s', (theirs, ours, held) => {
    const { sdp: text, media } = answer(offer('m=audio 4000 RTP/AVP 0', `a=${theirs}`));
    expect(media).toMatchObject({ direction: ours, held });
    expect(text).toContain(`a=${ours}\r\n`);
  });

  test('no direction means sendrecv', () => {
    expect(answer(offer('m=audio 4000 RTP/AVP 0')).media).toMatchObject({
      direction: 'sendrecv',
      held: false,
    });
  });

  test('a direction of the session holds for the line that has none of its own', () => {
    expect(answer(offer('a=sendonly', 'm=audio 4000 RTP/AVP 0')).media.held).toBe(true);
    expect(answer(offer('a=sendonly', 'm=audio 4000 RTP/AVP 0', 'a=sendrecv')).media.held).toBe(false);
  });

  test.each(['IN IP4 0.0.0.0', 'IN IP6 ::', 'IN IP6 0:0:0:0:0:0:0:0'])(
    'c=%s is hold, and we send nothing',
    (connection) => {
      expect(answer(offerFrom(connection)).media).toMatchObject({
        held: true,
        direction: 'recvonly',
        family: 4,
      });
      expect(answer(offerFrom(connection, 'a=recvonly')).media).toMatchObject({
        held: true,
        direction: 'inactive',
      });
    },
  );

  test('before a port is taken, :: asks for IPv6', () => {
    expect(session().check(offerFrom('IN IP6 ::')).family).toBe(6);
  });

  test('FreeSWITCH: hold narrows the offer, unhold has no direction; both are answered for what they are', () => {
    const leg = session();
    expect(leg.answer(freeswitchOffer, local).media.held).toBe(false);
    expect(leg.answer(freeswitchHold, local).media).toMatchObject({
      held: true,
      direction: 'recvonly',
      codec: 'PCMU',
    });
    const unhold = leg.answer(freeswitchUnhold, local);
    expect(unhold.media).toMatchObject({ held: false, direction: 'sendrecv', codec: 'PCMU' });
    expect(unhold.moved).toBe(false);
  });
});

describe('o= keeps its id, and its version rises by one with every change of our SDP and only then', () => {
  test('the first answer is version 1', () => {
    expect(originOf(session().answer(freeswitchOffer, local).sdp)).toBe('o=- 4711 1 IN IP4 198.51.100.1');
  });

  test('the same offer again, as a session refresh brings it, gets the same answer', () => {
    const leg = session();
    const first = leg.answer(asteriskOffer, local);
    const again = leg.answer(asteriskOffer.replace('1533183044 1533183044', '1533183044 1533183045'), local);
    expect(again.sdp).toBe(first.sdp);
    expect(again.moved).toBe(false);
  });

  test('an address of the peer that changes is no change of ours', () => {
    const leg = session();
    leg.answer(offerFrom('IN IP4 192.0.2.7'), local);
    expect(originOf(leg.answer(offerFrom('IN IP4 192.0.2.8'), local).sdp)).toContain(' 4711 1 ');
  });

  test('hold and unhold are a change each', () => {
    const leg = session();
    const versions = [freeswitchOffer, freeswitchHold, freeswitchHold, freeswitchUnhold].map(
      (text) => originOf(leg.answer(text, local).sdp)?.split(' ')[2],
    );
    expect(versions).toEqual(['1', '2', '2', '3']);
  });

  test('o= keeps the first address when c= takes another', () => {
    const leg = session();
    leg.answer(freeswitchOffer, local);
    const { sdp: text } = leg.answer(freeswitchOffer, { ...local, address: '198.51.100.2' });
    expect(originOf(text)).toBe('o=- 4711 2 IN IP4 198.51.100.1');
    expect(text).toContain('c=IN IP4 198.51.100.2');
  });

  test('localSdp is what was sent last', () => {
    const leg = session();
    expect(leg.localSdp).toBe('');
    expect(leg.answer(freeswitchOffer, local).sdp).toBe(leg.localSdp);
  });

  test('two sessions have ids of their own, of digits', () => {
    const ids = [0, 1].map(() => {
      const leg = new SdpSession({ codecs: null, srtp: 'off', tls: false });
      return leg.answer(freeswitchOffer, local).sdp.match(/^o=- (\d+) 1 /m)?.[1];
    });
    expect(ids[0]).toBeDefined();
    expect(ids[0]).not.toBe(ids[1]);
  });
});

describe('a re-INVITE', () => {
  test('may change the codec', () => {
    const leg = session();
    leg.answer(offer('m=audio 4000 RTP/AVP 0'), local);
    const { sdp: text, media } = leg.answer(offer('m=audio 4000 RTP/AVP 8'), local);
    expect(media.codec).toBe('PCMA');
    expect(text).toContain('PCMA');
    expect(text).not.toContain('PCMU');
  });

  test.each([
    ['another address', offerFrom('IN IP4 192.0.2.99'), true],
    ['another port', offer('m=audio 4444 RTP/AVP 0'), true],
    ['another direction', offer('m=audio 4000 RTP/AVP 0', 'a=sendonly'), false],
    ['another codec', offer('m=audio 4000 RTP/AVP 8'), false],
  ])('with %s: moved = %s', (_, text, moved) => {
    const leg = session();
    expect(leg.answer(offer('m=audio 4000 RTP/AVP 0'), local).moved).toBe(false);
    expect(leg.answer(text, local).moved).toBe(moved);
  });

  test('a hold by 0.0.0.0 and the way back are no move, so that they open no source lock', () => {
    const leg = session();
    leg.answer(offerFrom('IN IP4 192.0.2.7'), local);
    expect(leg.answer(offerFrom('IN IP4 0.0.0.0'), local).moved).toBe(false);
    expect(leg.answer(offerFrom('IN IP4 192.0.2.7'), local).moved).toBe(false);
    leg.answer(offerFrom('IN IP4 0.0.0.0'), local);
    expect(leg.answer(offerFrom('IN IP4 192.0.2.50'), local).moved).toBe(true);
  });

  test('a call that began on hold at 0.0.0.0 moves when it gets an address', () => {
    const leg = session();
    expect(leg.answer(offerFrom('IN IP4 0.0.0.0'), local).moved).toBe(false);
    expect(leg.answer(offerFrom('IN IP4 192.0.2.7'), local).moved).toBe(true);
  });

  test.each([
    ['no common codec', offer('m=audio 4000 RTP/AVP 18')],
    ['audio taken away for T.38', offer('m=audio 0 RTP/AVP 0', 'm=image 5000 udptl t38')],
    ['garbage', 'v=0\r\nnonsense'],
    ['the other family', offerFrom('IN IP6 2001:db8::9')],
    ['multicast', offerFrom('IN IP4 239.0.0.1')],
  ])('that is refused (%s) leaves everything as it was', (_, bad) => {
    const leg = session();
    const before = leg.answer(freeswitchOffer, local);
    refusalOf(() => leg.answer(bad, local));
    expect(leg.localSdp).toBe(before.sdp);
    expect(leg.answer(freeswitchOffer, local)).toEqual({
      sdp: before.sdp,
      media: before.media,
      moved: false,
    });
  });

  test('may bring m= lines that were not there before', () => {
    const leg = session();
    leg.answer(offer('m=audio 4000 RTP/AVP 0'), local);
    const { sdp: text } = leg.answer(offer('m=audio 4000 RTP/AVP 0', 'm=video 4010 RTP/AVP 99'), local);
    expect(linesOf(text, 'm=')).toEqual(['m=audio 20000 RTP/AVP 0', 'm=video 0 RTP/AVP 99']);
  });
});

describe('a late offer', () => {
  const ackAnswer = (...media: string[]) => offer(...media);

  test('names all codecs and telephone-event, sendrecv', () => {
    expect(session().offer(local, 4).trimEnd().split('\r\n')).toEqual([
      'v=0',
      'o=- 4711 1 IN IP4 198.51.100.1',
      's=-',
      'c=IN IP4 198.51.100.1',
      't=0 0',
      'm=audio 20000 RTP/AVP 0 8 9 111 101 102',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:8 PCMA/8000',
      'a=rtpmap:9 G722/8000',
      'a=rtpmap:111 opus/48000/2',
      'a=rtpmap:101 telephone-event/8000',
      'a=rtpmap:102 telephone-event/48000',
      'a=fmtp:111 useinbandfec=1',
      'a=fmtp:101 0-15',
      'a=fmtp:102 0-15',
      'a=ptime:20',
      'a=sendrecv',
    ]);
  });

  test("names the trunk's codecs in the trunk's order", () => {
    expect(session({ codecs: ['PCMA'] }).offer(local, 4)).toContain('m=audio 20000 RTP/AVP 8 101\r\n');
    expect(session({ codecs: ['PCMA', 'PCMU'] }).offer(local, 4)).toContain(
      'm=audio 20000 RTP/AVP 8 0 101\r\n',
    );
  });

  test("the ACK's answer decides codec, payload types, address and direction", () => {
    const leg = session();
    leg.offer(local, 4);
    const { media, moved } = leg.accept(
      ackAnswer('m=audio 4000 RTP/AVP 8 101', 'a=rtpmap:101 telephone-event/8000', 'a=recvonly'),
      local,
    );
    expect(media).toMatchObject({
      codec: 'PCMA',
      payloadType: 8,
      telephoneEvents: [{ payloadType: 101, clockRate: 8000 }],
      remoteAddress: '192.0.2.7',
      remotePort: 4000,
      direction: 'sendonly',
      held: false,
    });
    expect(moved).toBe(false);
  });

  test('an answer with Opus may take key presses at both rates: either may come, and that of Opus is sent', () => {
    const leg = session();
    leg.offer(local, 4);
    const { media } = leg.accept(
      ackAnswer(
        'm=audio 4000 RTP/AVP 111 101 102',
        'a=rtpmap:111 opus/48000/2',
        'a=rtpmap:101 telephone-event/8000',
        'a=rtpmap:102 telephone-event/48000',
      ),
      local,
    );
    expect(media.telephoneEvents).toEqual([
      { payloadType: 102, clockRate: 48_000 },
      { payloadType: 101, clockRate: 8000 },
    ]);
  });

  test('an answer by rtcp-mux is not agreed to, because we did not offer it', () => {
    const leg = session();
    leg.offer(local, 4);
    const { media } = leg.accept(ackAnswer('m=audio 4000 RTP/AVP 0', 'a=rtcp-mux'), local);
    expect(media).toMatchObject({ rtcpMux: false, remoteRtcpPort: 4001 });
  });

  test.each([
    ['nothing', '', 'sdp_invalid'],
    ['no audio line', ackAnswer('m=video 4000 RTP/AVP 99'), 'sdp_invalid'],
    ['a refused line', ackAnswer('m=audio 0 RTP/AVP 0'), 'no_common_codec'],
    ['a codec that was not offered', ackAnswer('m=audio 4000 RTP/AVP 18'), 'no_common_codec'],
    ['SRTP', ackAnswer('m=audio 4000 RTP/SAVP 0'), 'no_common_codec'],
    ['the other family', offerFrom('IN IP6 2001:db8::9'), 'no_common_codec'],
    ['a host name', offerFrom('IN IP4 pbx.example.com'), 'sdp_invalid'],
  ])('an answer with %s cannot be used', (_, text, code) => {
    const leg = session();
    leg.offer(local, 4);
    expect(refusalOf(() => leg.accept(text, local)).code).toBe(code);
  });

  test('an answer with a codec that the trunk leaves out cannot be used', () => {
    const leg = session({ codecs: ['PCMU'] });
    leg.offer(local, 4);
    expect(refusalOf(() => leg.accept(ackAnswer('m=audio 4000 RTP/AVP 8'), local)).code).toBe(
      'no_common_codec',
    );
  });

  test('in a call the offer is full again after a hold, keeps the lines and the numbers of the peer, and is a new version', () => {
    const leg = session();
    const invite = sdp(
      'v=0',
      'o=- 7 1 IN IP4 192.0.2.7',
      's=-',
      'c=IN IP4 192.0.2.7',
      't=0 0',
      'm=video 4010 RTP/AVP 99',
      'm=audio 4000 RTP/AVP 96 97 101',
      'a=rtpmap:96 PCMA/8000',
      'a=rtpmap:97 telephone-event/8000',
      'a=rtpmap:101 opus/48000/2',
      'a=sendonly',
    );
    leg.answer(invite, local);
    const text = leg.offer(local, 4);
    expect(linesOf(text, 'm=')).toEqual(['m=video 0 RTP/AVP 99', 'm=audio 20000 RTP/AVP 0 96 9 101 97 102']);
    expect(linesOf(text, 'a=rtpmap')).toEqual([
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:96 PCMA/8000',
      'a=rtpmap:9 G722/8000',
      'a=rtpmap:101 opus/48000/2',
      'a=rtpmap:97 telephone-event/8000',
      'a=rtpmap:102 telephone-event/48000',
    ]);
    expect(text).toContain('a=sendrecv');
    expect(originOf(text)).toContain(' 4711 2 ');
    const { media, moved } = leg.accept(
      sdp(
        'v=0',
        'c=IN IP4 192.0.2.7',
        'm=video 0 RTP/AVP 99',
        'm=audio 4000 RTP/AVP 96',
        'a=rtpmap:96 PCMA/8000',
      ),
      local,
    );
    expect([media.codec, media.payloadType, media.held, moved]).toEqual(['PCMA', 96, false, false]);
  });

  test('a number that the peer uses for something else is not taken for telephone-event', () => {
    const leg = session({ codecs: ['PCMU'] });
    leg.answer(
      offer('m=audio 4000 RTP/AVP 0 101 102', 'a=rtpmap:101 opus/48000/2', 'a=rtpmap:102 speex/8000'),
      local,
    );
    expect(leg.offer(local, 4)).toContain('a=rtpmap:103 telephone-event/8000');
  });

  test('a peer that uses all dynamic numbers gets an offer without telephone-event', () => {
    const types = Array.from({ length: 32 }, (_, index) => 96 + index);
    const maps = types.map((type) => `a=rtpmap:${type} x-${type}/8000`);
    const leg = session({ codecs: ['PCMU', 'PCMA', 'opus'] });
    leg.answer(offer(`m=audio 4000 RTP/AVP 0 8 ${types.join(' ')}`, 'a=rtpmap:8 L16/8000', ...maps), local);
    const text = leg.offer(local, 4);
    expect(linesOf(text, 'm=')).toEqual(['m=audio 20000 RTP/AVP 0']);
    expect(text).not.toContain('telephone-event');
  });

  test('the next free number is looked for past 127 from 96 on', () => {
    const types = Array.from({ length: 27 }, (_, index) => 101 + index);
    const maps = types.map((type) => `a=rtpmap:${type} x-${type}/8000`);
    const leg = session({ codecs: ['PCMU'] });
    leg.answer(offer(`m=audio 4000 RTP/AVP 0 ${types.join(' ')}`, ...maps), local);
    expect(leg.offer(local, 4)).toContain('a=rtpmap:96 telephone-event/8000');
  });

  test('in a call keeps the protocol of the audio line', () => {
    const leg = session();
    leg.answer(offer('m=video 4010 RTP/AVP 99', 'm=audio 4000 RTP/AVPF 0'), local);
    expect(linesOf(leg.offer(local, 4), 'm=')[1]).toBe('m=audio 20000 RTP/AVPF 0 8 9 111 101 102');
  });

  test('a call that began with a late offer goes on with re-INVITEs', () => {
    const leg = session();
    leg.offer(local, 4);
    leg.accept(ackAnswer('m=audio 4000 RTP/AVP 0'), local);
    const { sdp: text, moved } = leg.answer(offer('m=audio 4002 RTP/AVP 0', 'a=sendonly'), local);
    expect(originOf(text)).toContain(' 4711 2 ');
    expect(moved).toBe(true);
  });

  test('is not made for a family that our address is not of', () => {
    expect(refusalOf(() => session().offer(local, 6)).detail).toBe('there is no IPv6 media address here');
  });
});
