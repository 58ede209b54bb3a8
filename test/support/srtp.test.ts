import { describe, expect, test } from 'vitest';
import { libsrtpKey, libsrtpPackets, plainRtcp, plainRtp } from '../media/libsrtp-packets.ts';
import { cryptoLines, newKey, Srtp, type Suite } from './srtp.ts';

/** The phone's own SRTP, held against libsrtp before it judges anybody. */
describe.each(Object.keys(libsrtpPackets) as Suite[])('with %s', (suite) => {
  const key = libsrtpKey(Buffer.from(newKey(suite), 'base64').length);
  const { rtp, rtcp } = libsrtpPackets[suite];

  test('opens what libsrtp sends', () => {
    const phone = new Srtp(suite, key);
    expect(rtp.map((packet) => phone.open(Buffer.from(packet, 'hex')))).toEqual(plainRtp);
    expect(rtcp.map((packet) => phone.openRtcp(Buffer.from(packet, 'hex')))).toEqual(plainRtcp);
  });

  test('sends what libsrtp sends', () => {
    const phone = new Srtp(suite, key);
    expect(plainRtp.map((packet) => phone.protect(packet).toString('hex'))).toEqual(rtp);
    expect(plainRtcp.map((packet) => phone.protectRtcp(packet).toString('hex'))).toEqual(rtcp);
  });

  test('opens nothing that was changed', () => {
    const packet = Buffer.from(rtp[1] as string, 'hex');
    packet[20]! ^= 1;
    expect(new Srtp(suite, key).open(packet)).toBeUndefined();
  });
});

test('reads the keys of the audio line that is in use', () => {
  const lines = [
    'm=audio 0 RTP/SAVP 0',
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA',
    'm=audio 4000 RTP/SAVP 0',
  ];
  const used = 'a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:BB+/';
  expect(cryptoLines(['v=0', ...lines, used, ''].join('\r\n'))).toEqual([
    { tag: 7, suite: 'AES_CM_128_HMAC_SHA1_32', key: 'BB+/' },
  ]);
});
