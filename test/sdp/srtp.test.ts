import { describe, expect, test } from 'vitest';
import type { SdpSession } from '../../src/sdp/sdp-session.ts';
import { srtpSuites } from '../../src/srtp.ts';
import {
  answer,
  freeswitchCrypto,
  freeswitchOffer,
  freeswitchTwoLines,
  keyOf,
  linesOf,
  local,
  offer,
  refusalOf,
  session,
} from './offers.ts';

/** SRTP in offer and answer: which line, which key, whose tag (RFC 4568, decisions §5). */
const AES80 = 'AES_CM_128_HMAC_SHA1_80';
const AES32 = 'AES_CM_128_HMAC_SHA1_32';
const key = keyOf(30, 0x41);
const savp = 'm=audio 4000 RTP/SAVP 0';
const crypto = (tag: number, suite: string, rest = `inline:${key}`): string =>
  `a=crypto:${tag} ${suite} ${rest}`;
const encrypted = (...lines: string[]): string => offer(savp, ...lines);
const optional = { srtp: 'optional' } as const;
const required = { srtp: 'required' } as const;
const overTls = { srtp: 'required', tls: true } as const;

/** Tag, suite and key of the only a=crypto. */
function cryptoIn(text: string): { tag: number; suite: string; key: string } {
  const lines = linesOf(text, 'a=crypto');
  expect(lines).toHaveLength(1);
  const [, tag, suite = '', inline = ''] =
    /^a=crypto:(\d+) (\S+) inline:(\S+)$/.exec(lines[0] as string) ?? [];
  return { tag: Number(tag), suite, key: inline };
}

describe("FreeSWITCH's two lines", () => {
  test.each(['optional', 'required'] as const)(
    'with srtp %s: the encrypted one, by the tag of its key',
    (srtp) => {
      const { sdp, media } = answer(freeswitchTwoLines, { srtp });
      expect(linesOf(sdp, 'm=')).toEqual(['m=audio 20000 RTP/SAVP 0 101', 'm=audio 0 RTP/AVP 0 8 101']);
      const { tag, suite, key: ours } = cryptoIn(sdp);
      expect([tag, suite]).toEqual([2, 'AEAD_AES_256_GCM']);
      expect(media.srtp).toEqual({ suite, localKey: ours, remoteKey: keyOf(44, 2), remoteMki: '' });
    },
  );

  test('with srtp off the plain one is taken, and no key answered', () => {
    const { sdp, media } = answer(freeswitchTwoLines);
    expect(linesOf(sdp, 'm=')).toEqual(['m=audio 0 RTP/SAVP 0 8 101', 'm=audio 20000 RTP/AVP 0 101']);
    expect(sdp).not.toContain('crypto');
    expect(media.srtp).toBeNull();
  });

  test('where none of its keys can be used, srtp optional takes the plain one', () => {
    const unknown = freeswitchTwoLines.replaceAll(/ (AES_CM_128_HMAC|AEAD_AES_\d+_GCM) ?/g, ' X_$1 ');
    const text = freeswitchCrypto.reduce((sdp, line) => sdp.replace(`${line}\r\n`, ''), unknown);
    expect(linesOf(answer(text, optional).sdp, 'm=')).toEqual([
      'm=audio 0 RTP/SAVP 0 8 101',
      'm=audio 20000 RTP/AVP 0 101',
    ]);
  });

  test('with AES-CM alone the seventh is answered as a=crypto:7', () => {
    const cm = freeswitchCrypto.filter((line) => !line.includes('GCM'));
    const { sdp } = answer(encrypted(...cm), required);
    expect(cryptoIn(sdp)).toMatchObject({ tag: 7, suite: AES80 });
  });
});

describe('a key that can be used', () => {
  test.each(Object.entries(srtpSuites))('of suite %s', (suite, { keyBytes, saltBytes }) => {
    const remoteKey = keyOf(keyBytes + saltBytes, 3);
    const { sdp, media } = answer(encrypted(crypto(5, suite, `inline:${remoteKey}`)), required);
    const own = cryptoIn(sdp);
    expect(own).toMatchObject({ tag: 5, suite });
    expect(Buffer.from(own.key, 'base64')).toHaveLength(keyBytes + saltBytes);
    expect(media.srtp).toEqual({ suite, localKey: own.key, remoteKey, remoteMki: '' });
  });

  test('is the first of several, as the peer has them in its order', () => {
    const { sdp } = answer(
      encrypted(crypto(1, 'F8_128_HMAC_SHA1_80'), crypto(2, AES32), crypto(3, AES80)),
      required,
    );
    expect(cryptoIn(sdp)).toMatchObject({ tag: 2, suite: AES32 });
  });

  test.each([
    ['with a lifetime as a power', `inline:${key}|2^20`, ''],
    ['with a lifetime as a number', `inline:${key}|1048576`, ''],
    ['with an identifier', `inline:${key}|1:4`, '00000001'],
    ['with a lifetime and an identifier', `inline:${key}|2^31|66051:3`, '010203'],
    ['with a hint about the window', `inline:${key} WSH=64`, ''],
    ['with a parameter that may be ignored', `inline:${key} -x WSH=1024`, ''],
    ['in other letters', `INLINE:${key}`, ''],
  ])('%s', (_name, rest, remoteMki) => {
    const { media } = answer(encrypted(crypto(1, AES80, rest)), required);
    expect(media.srtp).toMatchObject({ suite: AES80, remoteKey: key, remoteMki });
  });

  test('may lack its padding', () => {
    const unpadded = keyOf(28, 9).replaceAll('=', '');
    const { media } = answer(encrypted(crypto(1, 'AEAD_AES_128_GCM', `inline:${unpadded}`)), required);
    expect(media.srtp?.remoteKey).toBe(keyOf(28, 9));
  });

  test.each(['RTP/SAVP', 'RTP/SAVPF'])('on %s, which is answered as it was offered', (protocol) => {
    const { sdp } = answer(offer(`m=audio 4000 ${protocol} 0`, crypto(1, AES80)), optional);
    expect(linesOf(sdp, 'm=')).toEqual([`m=audio 20000 ${protocol} 0`]);
  });

  test('has a key of ours beside it that nobody can foretell', () => {
    const keys = [1, 2, 3].map(() => cryptoIn(answer(encrypted(crypto(1, AES80)), required).sdp).key);
    expect(new Set(keys).size).toBe(3);
  });
});

describe('a key that cannot be used is passed over', () => {
  const good = crypto(9, AES32);

  test.each([
    ['of an unknown suite', crypto(1, 'AEAD_AES_256_GCM_8')],
    ['that is too short', crypto(1, AES80, `inline:${keyOf(29, 1)}`)],
    ['that is too long', crypto(1, AES80, `inline:${keyOf(46, 1)}`)],
    ['that is no base64', crypto(1, AES80, `inline:${key.slice(1)}!`)],
    ['without inline', crypto(1, AES80, `uri:${key}`)],
    ['that is missing', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80'],
    ['without a tag', `a=crypto: ${AES80} inline:${key}`],
    ['with a tag that is no number', `a=crypto:x ${AES80} inline:${key}`],
    ['one of several', crypto(1, AES80, `inline:${key}|2^20|1:1;inline:${key}|2^20|2:1`)],
    ['with an identifier of no bytes', crypto(1, AES80, `inline:${key}|1:0`)],
    ['with an identifier of too many bytes', crypto(1, AES80, `inline:${key}|1:129`)],
    ['with an identifier that is too large', crypto(1, AES80, `inline:${key}|2^20|256:1`)],
    ['with a lifetime that is none', crypto(1, AES80, `inline:${key}|soon`)],
    ['with too many parts', crypto(1, AES80, `inline:${key}|2^20|1:1|1`)],
    ['with UNENCRYPTED_SRTP', crypto(1, AES80, `inline:${key} UNENCRYPTED_SRTP`)],
    [
      'with UNENCRYPTED_SRTCP behind a harmless parameter',
      crypto(1, AES80, `inline:${key} WSH=64 UNENCRYPTED_SRTCP`),
    ],
    ['with UNAUTHENTICATED_SRTP', crypto(1, AES80, `inline:${key} UNAUTHENTICATED_SRTP`)],
    ['with a key derivation rate', crypto(1, AES80, `inline:${key} KDR=10`)],
    ['with forward error correction', crypto(1, AES80, `inline:${key} FEC_ORDER=SRTP_FEC`)],
    ['with a parameter that nobody knows', crypto(1, AES80, `inline:${key} SURPRISE`)],
  ])('%s', (_name, bad) => {
    expect(cryptoIn(answer(encrypted(bad, good), required).sdp)).toMatchObject({ tag: 9, suite: AES32 });
    expect(refusalOf(() => answer(encrypted(bad), required)).code).toBe('srtp_required');
  });

  test('and one at the level of the session is none', () => {
    const text = offer(savp).replace('t=0 0', `t=0 0\r\n${crypto(1, AES80)}`);
    expect(refusalOf(() => answer(text, required)).code).toBe('srtp_required');
  });

  test('33 of them in one line are too many', () => {
    const lines = Array.from({ length: 33 }, (_, i) => crypto(i, AES80));
    const refusal = refusalOf(() => answer(encrypted(...lines), required));
    expect(refusal.code).toBe('sdp_invalid');
    expect(refusal.detail).toContain('at most 32');
    expect(cryptoIn(answer(encrypted(...lines.slice(1)), required).sdp).tag).toBe(1);
  });
});

describe('what does not meet the policy', () => {
  test.each([
    [
      'off',
      encrypted(crypto(1, AES80)),
      'no_common_codec',
      'audio is offered as RTP/SAVP only; RTP/AVP is needed',
    ],
    [
      'optional',
      encrypted(),
      'no_common_codec',
      'no a=crypto that can be used; offered: none; taken: AES_CM_',
    ],
    [
      'required',
      encrypted(crypto(1, 'X"Y')),
      'srtp_required',
      'no a=crypto that can be used; offered: X; taken: ',
    ],
    ['required', freeswitchOffer, 'srtp_required', 'no RTP/SAVP audio line in the offer'],
    [
      'required',
      offer('m=audio 4000 UDP/TLS/RTP/SAVPF 0'),
      'srtp_required',
      'no RTP/SAVP audio line in the offer',
    ],
    ['required', offer('m=audio 4000 RTP/SAVP 18', crypto(1, AES80)), 'no_common_codec', 'offered: G729'],
    ['optional', offer('m=audio 4000 RTP/SAVP 18', crypto(1, AES80)), 'no_common_codec', 'offered: G729'],
    ['optional', offer('m=audio 4000 RTP/AVP 18'), 'no_common_codec', 'offered: G729'],
  ] as const)('srtp %s: %#', (srtp, text, code, detail) => {
    const refusal = refusalOf(() => answer(text, { srtp }));
    expect(refusal.code).toBe(code);
    expect(refusal.detail).toContain(detail);
  });

  test('a refusal shows no key, be the line good or broken', () => {
    for (const text of [
      encrypted(crypto(1, 'UNKNOWN')),
      encrypted(crypto(1, AES80, `inline:${key} KDR=1`)),
      offer(savp, ` a=crypto:1 ${AES80} inline:${key}`),
      offer(savp, `a =crypto:1 ${AES80} INLINE:${key}`),
      offer(savp, `m=crypto:1 ${AES80} inline:${key}`),
    ]) {
      const refusal = refusalOf(() => answer(text, required));
      expect(refusal.message).not.toContain(key.slice(0, 4));
    }
  });

  test('RTP/AVP with a=crypto counts as plain, and its key is not answered', () => {
    const text = offer('m=audio 4000 RTP/AVP 0', crypto(1, AES80));
    const { sdp, media } = answer(text, optional);
    expect(sdp).toContain('m=audio 20000 RTP/AVP 0');
    expect(sdp).not.toContain('crypto');
    expect(media.srtp).toBeNull();
    expect(refusalOf(() => answer(text, required)).code).toBe('srtp_required');
  });
});

describe('in a call', () => {
  const versionOf = (text: string): number => Number(/^o=\S+ \S+ (\d+)/m.exec(text)?.[1]);
  const answerBy = (leg: SdpSession, text: string) => leg.answer(text, local);

  test('the same key of the peer gets the same of ours, and the version stays', () => {
    const leg = session(optional);
    const first = answerBy(leg, encrypted(crypto(1, AES80)));
    const again = answerBy(leg, encrypted(crypto(1, AES80)));
    expect(again.sdp).toBe(first.sdp);
    const held = answerBy(leg, encrypted(crypto(1, AES80), 'a=sendonly'));
    expect(cryptoIn(held.sdp).key).toBe(cryptoIn(first.sdp).key);
    expect(versionOf(held.sdp)).toBe(versionOf(first.sdp) + 1);
  });

  test('a new key of the peer is taken, ours stays', () => {
    const leg = session(optional);
    const first = answerBy(leg, encrypted(crypto(1, AES80)));
    const next = answerBy(leg, encrypted(crypto(1, AES80, `inline:${keyOf(30, 7)}`)));
    expect(next.media.srtp?.remoteKey).toBe(keyOf(30, 7));
    expect(next.media.srtp?.localKey).toBe(first.media.srtp?.localKey);
  });

  test('another suite has another key of ours, and the first has its own when it comes back', () => {
    const leg = session(optional);
    const first = answerBy(leg, encrypted(crypto(1, AES80)));
    const other = answerBy(leg, encrypted(crypto(1, AES32)));
    expect(other.media.srtp?.localKey).not.toBe(first.media.srtp?.localKey);
    expect(answerBy(leg, encrypted(crypto(1, AES80))).media.srtp).toEqual(first.media.srtp);
  });

  test('a re-INVITE that does not meet the policy leaves the call as it was', () => {
    const leg = session(required);
    const { sdp } = answerBy(leg, encrypted(crypto(1, AES80)));
    expect(refusalOf(() => answerBy(leg, freeswitchOffer)).code).toBe('srtp_required');
    expect(leg.localSdp).toBe(sdp);
  });

  test('a re-INVITE without SDP is offered what the call has, with the same key, whatever carries it', () => {
    const leg = session(required);
    const { sdp, media } = answerBy(leg, encrypted(crypto(4, AES80)));
    const text = leg.offer(local, 4);
    expect(linesOf(text, 'm=')[0]).toContain('RTP/SAVP');
    expect(linesOf(text, 'a=crypto')).toEqual(linesOf(sdp, 'a=crypto'));
    const back = leg.accept(encrypted(crypto(4, AES80)), local);
    expect(back.media.srtp).toEqual(media.srtp);
  });
});

describe('our own offer', () => {
  test('of a trunk that requires SRTP has a key of each suite over TLS', () => {
    const text = session(overTls).offer(local, 4);
    expect(linesOf(text, 'm=')).toEqual([expect.stringMatching(/^m=audio 20000 RTP\/SAVP 0 8 /)]);
    const lines = linesOf(text, 'a=crypto');
    expect(lines.map((line) => line.replace(/inline:.*/, 'inline'))).toEqual([
      `a=crypto:1 ${AES80} inline`,
      `a=crypto:2 ${AES32} inline`,
      'a=crypto:3 AEAD_AES_128_GCM inline',
      'a=crypto:4 AEAD_AES_256_GCM inline',
    ]);
    expect(new Set(lines).size).toBe(4);
  });

  test('of a trunk that requires SRTP is not made where others can read it', () => {
    expect(refusalOf(() => session(required).offer(local, 4)).code).toBe('srtp_required');
    expect(refusalOf(() => session(required).checkLateOffer()).code).toBe('srtp_required');
  });

  test.each(['off', 'optional'] as const)('of a trunk with srtp %s is plain', (srtp) => {
    const text = session({ srtp, tls: true }).offer(local, 4);
    expect(linesOf(text, 'm=')).toEqual([expect.stringMatching(/^m=audio 20000 RTP\/AVP 0 8 /)]);
    expect(text).not.toContain('crypto');
  });

  test('is answered by the tag of one of its keys', () => {
    const leg = session(overTls);
    const text = leg.offer(local, 4);
    const ours = /crypto:2 \S+ inline:(\S+)/.exec(text)?.[1];
    const { media } = leg.accept(encrypted(crypto(2, AES32)), local);
    expect(media.srtp).toEqual({ suite: AES32, localKey: ours, remoteKey: key, remoteMki: '' });
  });

  test.each([
    ['plain RTP', offer('m=audio 4000 RTP/AVP 0', crypto(1, AES80))],
    ['no key', encrypted()],
    ['the tag of another suite', encrypted(crypto(2, AES80))],
    ['a tag that was not offered', encrypted(crypto(9, AES80))],
    ['a key that cannot be used', encrypted(crypto(1, AES80, `inline:${key} UNENCRYPTED_SRTP`))],
  ])('is not met by an answer with %s', (_name, text) => {
    const leg = session(overTls);
    leg.offer(local, 4);
    expect(refusalOf(() => leg.accept(text, local)).code).toBe('no_common_codec');
  });
});
