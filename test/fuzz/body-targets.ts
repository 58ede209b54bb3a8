import { type DigestAnswer, parseAuthorization } from '../../src/admission/digest.ts';
import { Refusal } from '../../src/errors.ts';
import { extractSdp } from '../../src/sdp/multipart.ts';
import { parseSdp } from '../../src/sdp/parse.ts';
import { SdpSession } from '../../src/sdp/sdp-session.ts';
import { type Target, target } from './fuzz.ts';
import { digestPieces, mutateBytes, sdpPieces } from './mutate.ts';
import { pick } from './random.ts';

/** What is read behind the engine: SDP, multipart bodies, digest credentials. */

const local = { address: '198.51.100.1', rtpPort: 20_000 };
const crypto = 'a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32';
const offer = (...media: string[]): string =>
  ['v=0', 'o=- 7 1 IN IP4 192.0.2.7', 's=-', 'c=IN IP4 192.0.2.7', 't=0 0', ...media, ''].join('\r\n');
const offers = [
  offer(
    'm=audio 30000 RTP/AVP 0 8 101 13',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-15',
    'a=ptime:20',
  ),
  offer('m=audio 4000 RTP/SAVP 0 8 101', crypto, 'a=rtpmap:101 telephone-event/8000', 'a=sendonly'),
  offer(
    'm=audio 4000/2 RTP/AVP 96',
    'a=rtpmap:96 opus/48000/2',
    'a=fmtp:96 useinbandfec=1',
    'a=rtcp:4001 IN IP4 192.0.2.7',
  ),
  offer(
    'm=video 5000 RTP/AVP 107',
    'm=audio 0 RTP/AVP 0',
    'm=audio 4000 RTP/AVP 8',
    'a=rtcp-mux',
    'a=maxptime:40',
  ),
].map((text) => Buffer.from(text));

const multipart = Buffer.from(
  `--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\n${offers[1]}\r\n--b--\r\n`,
);

/** Whether `read` was done, or refused in the way that is meant for the peer. */
function isTaken(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return false;
  }
}

const sdp = target<boolean>({
  name: 'SDP',
  mutant: (random) => mutateBytes(pick(offers, random), sdpPieces, offers, random),
  read: (bytes) => isTaken(() => parseSdp(bytes.toString())),
  check: (taken) => taken,
});

const answer = target<boolean>({
  name: 'SDP answer',
  mutant: (random) => mutateBytes(pick(offers, random), sdpPieces, offers, random),
  read: (bytes) =>
    isTaken(() =>
      new SdpSession({ codecs: null, srtp: 'optional', tls: false }, '4711').answer(bytes.toString(), local),
    ),
  check: (taken) => taken,
});

const parts = target<boolean>({
  name: 'multipart body',
  mutant: (random) =>
    mutateBytes(multipart, sdpPieces.concat(Buffer.from('--b'), Buffer.from('\r\n--b--')), offers, random),
  read: (bytes) => isTaken(() => extractSdp('multipart/mixed;boundary=b', bytes.toString())),
  check: (taken) => taken,
});

const credentials = [
  'Digest username="acme", realm="sip.kallglot.com", nonce="abc=", uri="sip:x@y", response="00", algorithm=MD5, qop=auth, nc=00000001, cnonce="f"',
  'NoOneKnowsThisScheme opaque-data=here',
  'Digest realm="other", username="a", Digest realm="sip.kallglot.com",username="b",nonce="n",uri="u",response="r"',
].map((text) => Buffer.from(text));

const digest = target<DigestAnswer | null>({
  name: 'digest credentials',
  mutant: (random) => mutateBytes(pick(credentials, random), digestPieces, credentials, random),
  read: (bytes) => parseAuthorization(bytes.toString('latin1'), 'sip.kallglot.com'),
  check: (found) => found !== null,
});

export const bodyTargets: readonly Target[] = [sdp, answer, parts, digest];
