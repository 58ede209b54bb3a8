import { describe, expect, test } from 'vitest';
import { extractSdp } from '../../src/sdp/multipart.ts';
import { freeswitchOffer, local, refusalOf, session } from './offers.ts';

const part = (headers: string, body: string) => `${headers}\r\n\r\n${body}`;
const multipart = (...parts: string[]) => `${parts.map((each) => `--b1\r\n${each}\r\n`).join('')}--b1--\r\n`;
const mixed = 'multipart/mixed;boundary=b1';
const sdpPart = part('Content-Type: application/sdp', freeswitchOffer);
const isup = part('Content-Type: application/isup;version=x\r\nContent-Disposition: signal', '\u0001\u0010');

const detailOf = (contentType: string | undefined, body: string) => {
  const refusal = refusalOf(() => extractSdp(contentType, body));
  expect(refusal.code).toBe('content_type_unsupported');
  return refusal.detail;
};

test.each(['application/sdp', 'Application/SDP', 'application/sdp; charset=utf-8'])(
  '%s is the SDP itself',
  (type) => {
    expect(extractSdp(type, freeswitchOffer)).toBe(freeswitchOffer);
  },
);

describe('multipart', () => {
  test.each([
    ['multipart/mixed;boundary=b1', multipart(sdpPart, isup)],
    ['multipart/mixed; boundary="b1"', multipart(isup, sdpPart)],
    ['Multipart/Alternative; charset=x; Boundary = b1 ; y=z', multipart(sdpPart)],
    [mixed, `a preamble\r\n${multipart(sdpPart)}an epilogue`],
    [mixed, multipart(sdpPart).replaceAll('\r\n', '\n')],
    [
      mixed,
      multipart(
        part('CONTENT-TYPE:\r\n application/sdp;x=y\r\nContent-Transfer-Encoding: 8bit', freeswitchOffer),
      ),
    ],
  ])('%s that holds one application/sdp is taken', (type, body) => {
    expect(session().answer(extractSdp(type, body), local).media.codec).toBe('PCMU');
  });

  test('another boundary that begins alike does not end the part', () => {
    const body = multipart(sdpPart, part('Content-Type: text/plain', '--b12\r\nx'));
    expect(session().check(extractSdp(mixed, body)).codec).toBe('PCMU');
  });

  test('characters of the boundary are taken as they are', () => {
    const body = multipart(sdpPart).replaceAll('--b1', '--a.(b)+?=');
    expect(session().check(extractSdp('multipart/mixed;boundary="a.(b)+?="', body)).codec).toBe('PCMU');
  });

  test('what stands in the body of a part is no header of it', () => {
    const text = part('Content-Type: text/plain', 'Content-Type: application/sdp');
    expect(session().check(extractSdp(mixed, multipart(text, sdpPart))).codec).toBe('PCMU');
  });

  test('8 parts are taken', () => {
    expect(session().check(extractSdp(mixed, multipart(...Array<string>(7).fill(isup), sdpPart))).codec).toBe(
      'PCMU',
    );
  });

  test('none or two application/sdp parts are refused', () => {
    expect(detailOf(mixed, multipart(isup))).toBe(
      '0 application/sdp parts in the multipart body; exactly one is taken',
    );
    expect(detailOf(mixed, multipart(sdpPart, sdpPart))).toMatch(/^2 application\/sdp parts/);
  });

  test('one without a boundary, without its end, in base64, or of too many parts is refused', () => {
    expect(detailOf('multipart/mixed', multipart(sdpPart))).toMatch(/without a boundary/);
    expect(detailOf(mixed, multipart(sdpPart).replace('--b1--', ''))).toMatch(
      /without its closing delimiter/,
    );
    const encoded = part('Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64', 'dj0w');
    expect(detailOf(mixed, multipart(encoded))).toMatch(/encoded/);
    expect(detailOf(mixed, multipart(sdpPart, ...Array<string>(8).fill(isup)))).toMatch(/9 parts; at most 8/);
    expect(detailOf(mixed, multipart(sdpPart).padEnd(70_000, 'x'))).toMatch(/more than 65536/);
  });
});

test.each([undefined, '', 'text/plain', 'application/sdp-garbage', 'application/isup'])(
  '%s is refused',
  (type) => {
    expect(detailOf(type, freeswitchOffer)).toMatch(/application\/sdp is taken$/);
  },
);
