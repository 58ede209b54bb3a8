import { expect } from 'vitest';
import { Refusal } from '../../src/errors.ts';
import { type MediaPolicy, SdpSession } from '../../src/sdp/sdp-session.ts';

/** SDP of peers, written as PBXs write it, and the one local address that the tests answer from. */

export const local = { address: '198.51.100.1', rtpPort: 20_000 };
export const local6 = { address: '2001:db8::1', rtpPort: 20_000 };
export const sdp = (...lines: string[]): string => `${lines.join('\r\n')}\r\n`;

const head = ['v=0', 'o=- 7 1 IN IP4 192.0.2.7', 's=-', 'c=IN IP4 192.0.2.7', 't=0 0'];
/** An offer with the usual head; the lines given follow it. */
export const offer = (...media: string[]): string => sdp(...head, ...media);
/** An offer with an address of its own and one PCMU line. */
export const offerFrom = (connection: string, ...attributes: string[]): string =>
  sdp(
    'v=0',
    'o=- 7 1 IN IP4 192.0.2.7',
    's=-',
    `c=${connection}`,
    't=0 0',
    'm=audio 4000 RTP/AVP 0',
    ...attributes,
  );

export const session = (policy: Partial<MediaPolicy> = {}): SdpSession =>
  new SdpSession({ codecs: null, srtp: 'off', tls: false, ...policy }, '4711');

/** Answers with a fresh session. */
export const answer = (text: string, policy: Partial<MediaPolicy> = {}) =>
  session(policy).answer(text, local);

export const linesOf = (text: string, start: string): string[] =>
  text.split('\r\n').filter((line) => line.startsWith(start));

/** The refusal that a call throws; fails when it throws none. */
export function refusalOf(run: () => unknown): Refusal {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    return error as Refusal;
  }
  throw new Error('it was not refused');
}

export const freeswitchOffer = sdp(
  'v=0',
  'o=FreeSWITCH 1700000000 1700000001 IN IP4 192.0.2.20',
  's=FreeSWITCH',
  'c=IN IP4 192.0.2.20',
  't=0 0',
  'm=audio 30000 RTP/AVP 0 8 101 13',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=rtpmap:13 CN/8000',
  'a=ptime:20',
);

export const freeswitchHold = sdp(
  'v=0',
  'o=FreeSWITCH 1700000000 1700000002 IN IP4 192.0.2.20',
  's=FreeSWITCH',
  'c=IN IP4 192.0.2.20',
  't=0 0',
  'm=audio 30000 RTP/AVP 0 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=sendonly',
  'a=ptime:20',
);

/** No direction attribute at all: `sendrecv`. */
export const freeswitchUnhold = freeswitchHold.replace('a=sendonly\r\n', '').replace('0002 IN', '0003 IN');

/** A master key and salt in base64, of so many bytes; the number tells them apart. */
export const keyOf = (bytes: number, number: number): string =>
  Buffer.alloc(bytes, number).toString('base64');

/** What FreeSWITCH offers by itself: the second and the seventh are the first that are spoken, of GCM and of AES-CM. */
export const freeswitchCrypto = [
  ['AEAD_AES_256_GCM_8', 44],
  ['AEAD_AES_256_GCM', 44],
  ['AEAD_AES_128_GCM_8', 28],
  ['AEAD_AES_128_GCM', 28],
  ['AES_256_CM_HMAC_SHA1_80', 46],
  ['AES_192_CM_HMAC_SHA1_80', 38],
  ['AES_CM_128_HMAC_SHA1_80', 30],
  ['AES_256_CM_HMAC_SHA1_32', 46],
  ['AES_192_CM_HMAC_SHA1_32', 38],
  ['AES_CM_128_HMAC_SHA1_32', 30],
  ['AES_CM_128_NULL_AUTH', 30],
].map(([suite, bytes], i) => `a=crypto:${i + 1} ${suite} inline:${keyOf(bytes as number, i + 1)}`);

/** Optional SRTP: SAVP first, AVP behind. */
export const freeswitchTwoLines = sdp(
  'v=0',
  'o=FreeSWITCH 1700000000 1700000001 IN IP4 192.0.2.20',
  's=FreeSWITCH',
  'c=IN IP4 192.0.2.20',
  't=0 0',
  'm=audio 30000 RTP/SAVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  ...freeswitchCrypto,
  'm=audio 30000 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
);

export const asteriskOffer = sdp(
  'v=0',
  'o=- 1533183044 1533183044 IN IP4 192.0.2.30',
  's=Asterisk',
  'c=IN IP4 192.0.2.30',
  't=0 0',
  'm=audio 17064 RTP/AVP 107 8 0 101',
  'a=rtpmap:107 opus/48000/2',
  'a=fmtp:107 useinbandfec=1',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=ptime:20',
  'a=maxptime:150',
  'a=sendrecv',
);
