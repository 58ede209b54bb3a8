import { describe, expect, test } from 'vitest';
import { local, offer, offerFrom, refusalOf, sdp, session } from './offers.ts';

const detailOf = (text: string) => {
  const refusal = refusalOf(() => session().check(text));
  expect(refusal.code).toBe('sdp_invalid');
  return refusal.detail;
};

describe('SDP that cannot be understood is refused with words that say what was wrong', () => {
  test.each([
    ['an empty text', '', 'line 1 is ""; it must be v=0'],
    ['another format', '{"audio": true}', 'line 1 is "??audio?: true?"; it must be v=0'],
    ['another version', sdp('v=1', 'o=- 1 1 IN IP4 192.0.2.7'), 'line 1 is "v=1"; it must be v=0'],
    ['a line without a letter', offer('hello'), 'line 6 is "hello"; it must be a letter, "=" and a value'],
    [
      'an m= line without formats',
      offer('m=audio 4000 RTP/AVP'),
      /^line 6 is "m=audio 4000 RTP\/AVP"; it must be m=/,
    ],
    ['an m= line without a number', offer('m=audio port RTP/AVP 0'), /^line 6 is .*a port/],
    [
      'a port beyond the range',
      offer('m=audio 70000 RTP/AVP 0'),
      'line 6 has port 70000; at most 65535 is allowed',
    ],
    [
      'a payload type in words',
      offer('m=audio 4000 RTP/AVP ulaw'),
      /payload type "ulaw" is not a number from 0 to 127/,
    ],
    ['a payload type beyond 127', offer('m=audio 4000 RTP/AVP 0 128'), /payload type "128"/],
    [
      'a broken c= line',
      offer('c=IP4 192.0.2.7', 'm=audio 4000 RTP/AVP 0'),
      /^line 6 is "c=IP4 192.0.2.7"; it must be c=IN/,
    ],
    [
      'no c= at all',
      sdp('v=0', 'm=audio 4000 RTP/AVP 0'),
      'the audio line has no c=, and the session has none either',
    ],
    [
      'a host name',
      offerFrom('IN IP4 pbx.example.com'),
      /^c= has "pbx.example.com"; the address must be numeric/,
    ],
    ['an IPv6 zone', offerFrom('IN IP6 fe80::1%eth0'), /must be numeric, without host names or zones/],
    ['an address of the other family', offerFrom('IN IP6 192.0.2.7'), /says IP"6" but has the IPv4 address/],
    ['multicast', offerFrom('IN IP4 224.2.1.1/127'), /^c= has 224.2.1.1; multicast, broadcast/],
    ['IPv6 multicast', offerFrom('IN IP6 ff15::101'), /multicast/],
    ['broadcast', offerFrom('IN IP4 255.255.255.255'), /broadcast/],
    ['"this network"', offerFrom('IN IP4 0.1.2.3'), /reserved/],
    ['a mapped multicast address', offerFrom('IN IP6 ::ffff:224.0.0.1'), /multicast/],
    ['a unicast address with a TTL', offerFrom('IN IP4 192.0.2.7/16'), /a unicast address has no "\/"/],
    [
      'a=rtcp without a port',
      offerFrom('IN IP4 192.0.2.7', 'a=rtcp:none'),
      /a=rtcp must name a port from 1 to 65535/,
    ],
    [
      'a=rtcp to multicast',
      offerFrom('IN IP4 192.0.2.7', 'a=rtcp:4001 IN IP4 239.1.1.1'),
      /^a=rtcp has 239.1.1.1; multicast/,
    ],
  ])('%s', (_, text, words) => {
    const detail = detailOf(text);
    if (words instanceof RegExp) expect(detail).toMatch(words);
    else expect(detail).toBe(words);
  });

  test('what the peer wrote is quoted without control characters and cut', () => {
    const detail = detailOf(offer(`\u0007"${'x'.repeat(500)}`)) ?? '';
    expect(detail).not.toContain('\u0007');
    expect(detail.length).toBeLessThan(150);
  });
});

describe('bombs are bounded', () => {
  test('more than 16 kB are not read', () => {
    expect(detailOf(offer('m=audio 4000 RTP/AVP 0', `a=x:${'y'.repeat(16_384)}`))).toMatch(
      /at most 16384 are taken/,
    );
  });

  test('an offer of just 16 kB is', () => {
    const bare = offer('m=audio 4000 RTP/AVP 0', 'a=x:');
    const full = bare.replace('a=x:', `a=x:${'y'.repeat(16_384 - bare.length)}`);
    expect(full.length).toBe(16_384);
    expect(session().check(full).codec).toBe('PCMU');
  });

  test('16 m= lines are taken, 17 are not', () => {
    const lines = (count: number) => offer(...Array<string>(count).fill('m=audio 4000 RTP/AVP 0'));
    expect(session().answer(lines(16), local).sdp.match(/^m=/gm)).toHaveLength(16);
    expect(detailOf(lines(17))).toBe('17 m= lines; at most 16 are taken');
  });

  test('64 formats on a line are taken, 65 are not, on lines that we refuse as well', () => {
    const types = (count: number) => Array.from({ length: count }, (_, type) => type).join(' ');
    expect(session().check(offer(`m=audio 4000 RTP/AVP ${types(64)}`)).codec).toBe('PCMU');
    expect(detailOf(offer(`m=audio 4000 RTP/AVP ${types(65)}`))).toBe(
      'line 6 has 65 formats; at most 64 are taken',
    );
    expect(detailOf(offer('m=audio 4000 RTP/AVP 0', `m=video 4002 RTP/AVP ${types(65)}`))).toMatch(
      /^line 7 has 65/,
    );
  });

  test('of a codec named many times the first counts, and the answer names it once', () => {
    const maps = Array.from({ length: 30 }, (_, index) => `a=rtpmap:${96 + index} PCMU/8000`);
    const types = maps.map((_, index) => 96 + index).join(' ');
    const { sdp: text, media } = session().answer(
      offer(`m=audio 4000 RTP/AVP ${types}`, ...maps, ...maps),
      local,
    );
    expect(media.payloadType).toBe(96);
    expect(text.match(/PCMU/g)).toHaveLength(1);
  });

  test('a second rtpmap for a payload type does not rename it', () => {
    const text = offer('m=audio 4000 RTP/AVP 96', 'a=rtpmap:96 PCMA/8000', 'a=rtpmap:96 PCMU/8000');
    expect(session().check(text).codec).toBe('PCMA');
  });
});

test('lines may end in LF or CR alone', () => {
  const text = offer('m=audio 4000 RTP/AVP 8', 'a=sendonly');
  expect(session().answer(text.replaceAll('\r\n', '\n'), local).media).toMatchObject({
    codec: 'PCMA',
    held: true,
  });
  expect(session().check(text.replaceAll('\r\n', '\r')).codec).toBe('PCMA');
});

test('check tells the family and the address before a port is taken', () => {
  expect(session().check(offerFrom('IN IP6 2001:db8::9'))).toEqual({
    codec: 'PCMU',
    family: 6,
    remoteAddress: '2001:db8::9',
  });
});

test('formats of lines that are not RTP audio may be anything', () => {
  const text = offer(
    'm=video 4010 RTP/AVP *',
    'm=audio 4020 udptl t38',
    'm=audio 4000 RTP/AVP 127',
    'a=rtpmap:127 PCMU/8000',
  );
  expect(session().answer(text, local).media.payloadType).toBe(127);
});

test.each([1, 65_535])('a=rtcp may name port %i', (port) => {
  expect(session().answer(offerFrom('IN IP4 192.0.2.7', `a=rtcp:${port}`), local).media.remoteRtcpPort).toBe(
    port,
  );
});

test.each([0, 65_536])('a=rtcp may not name port %i', (port) => {
  expect(detailOf(offerFrom('IN IP4 192.0.2.7', `a=rtcp:${port}`))).toMatch(/from 1 to 65535/);
});
