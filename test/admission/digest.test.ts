import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { challenges } from '../../src/admission/challenge.ts';
import {
  algorithmOf,
  type DigestAlgorithm,
  type DigestAnswer,
  parseAuthorization,
  responseMatches,
} from '../../src/admission/digest.ts';

const header = (parameters: Record<string, string>) =>
  `Digest ${Object.entries(parameters)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')}`;
const answer = {
  username: '"trunk"',
  realm: '"sip.kallglot.com"',
  nonce: '"n"',
  uri: '"sip:x@sip.kallglot.com"',
  response: '"0123"',
  algorithm: 'MD5',
  qop: 'auth',
  nc: '00000001',
  cnonce: '"c"',
};
const parse = (text: string) => parseAuthorization(text, 'sip.kallglot.com');

describe('the Authorization header', () => {
  test('is read with its parameters unquoted', () => {
    expect(parse(header(answer))).toEqual({
      username: 'trunk',
      realm: 'sip.kallglot.com',
      nonce: 'n',
      uri: 'sip:x@sip.kallglot.com',
      response: '0123',
      algorithm: 'MD5',
      qop: 'auth',
      nc: '00000001',
      cnonce: 'c',
      userhash: undefined,
    });
  });

  test('may have commas, quotes and equals signs in quoted values, any case and any spacing', () => {
    const text =
      'dIgEsT USERNAME="a,\\"b=c" ,Realm = "sip.kallglot.com",nonce="n=,",uri="u" ,, response="r",';
    expect(parse(text)).toMatchObject({ username: 'a,"b=c', nonce: 'n=,' });
  });

  test('with credentials for several realms is read for ours', () => {
    const other = header({ ...answer, realm: '"elsewhere"', username: '"other"' });
    expect(parse(`${other}, ${header(answer)}`)?.username).toBe('trunk');
    expect(parse(`${header(answer)}, ${other}`)?.username).toBe('trunk');
    expect(parse(other)).toBeNull();
  });

  test('of a parameter given twice the first counts', () => {
    expect(parse(`${header(answer)}, username="mallory"`)?.username).toBe('trunk');
  });

  test.each([
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['nothing', ''],
    ['no scheme', 'username="x", realm="sip.kallglot.com"'],
    ['an open quote', `${header(answer)}, opaque="x`],
    ['garbage', 'Digest @@@@ ===='],
    ['no response', header({ ...answer, response: '""' })],
    ['no username', header({ ...answer, username: '""' })],
    ['more than 4096 characters', `${header(answer)}, opaque="${'x'.repeat(4096)}"`],
    [
      'more than 64 parameters',
      `${header(answer)}, ${Array.from({ length: 64 }, (_, i) => `p${i}=x`).join(', ')}`,
    ],
  ])('with %s is no answer', (_, text) => {
    expect(parse(text)).toBeNull();
  });
});

describe('the response', () => {
  const rfc7616: DigestAnswer = {
    username: 'Mufasa',
    realm: 'http-auth@example.org',
    uri: '/dir/index.html',
    algorithm: undefined,
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    nc: '00000001',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    qop: 'auth',
    response: '',
    userhash: undefined,
  };
  const ha1 = (name: string) =>
    createHash(name).update('Mufasa:http-auth@example.org:Circle of Life').digest('hex');
  const vectors: [DigestAlgorithm, string, string][] = [
    ['MD5', 'md5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', 'sha256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ];

  test.each(vectors)('of RFC 7616 §3.9.1 by %s is right', (algorithm, hash, response) => {
    expect(responseMatches({ ...rfc7616, response }, 'GET', algorithm, ha1(hash))).toBe(true);
    expect(
      responseMatches({ ...rfc7616, response: response.toUpperCase() }, 'GET', algorithm, ha1(hash)),
    ).toBe(true);
  });

  test.each(vectors)(
    'by %s is wrong for another method, HA1, nonce, nc, cnonce, uri, or cut',
    (algorithm, hash, response) => {
      const right = { ...rfc7616, response };
      expect(responseMatches(right, 'POST', algorithm, ha1(hash))).toBe(false);
      expect(responseMatches(right, 'GET', algorithm, '0'.repeat(64))).toBe(false);
      for (const change of [
        { nonce: 'x' },
        { nc: '00000002' },
        { cnonce: 'x' },
        { uri: '/' },
        { response: response.slice(1) },
        { response: `${response}0` },
        { response: 'é'.repeat(response.length / 2) },
      ]) {
        expect(responseMatches({ ...right, ...change }, 'GET', algorithm, ha1(hash))).toBe(false);
      }
    },
  );

  test('by SHA-512-256 is right', () => {
    const hash = (text: string) => createHash('sha512-256').update(text).digest('hex');
    const secret = ha1('sha512-256');
    const { nonce, nc, cnonce } = rfc7616;
    const response = hash(`${secret}:${nonce}:${nc}:${cnonce}:auth:${hash('INVITE:/dir/index.html')}`);
    expect(responseMatches({ ...rfc7616, response }, 'INVITE', 'SHA-512-256', secret)).toBe(true);
  });
});

describe('the algorithm', () => {
  const named = (algorithm: string | undefined) => ({ ...parse(header(answer))!, algorithm });

  test('that an answer names must have been offered', () => {
    expect(algorithmOf(named('SHA-256'), ['MD5', 'SHA-256'])).toBe('SHA-256');
    expect(algorithmOf(named('sha-256'), ['MD5', 'SHA-256'])).toBe('SHA-256');
    expect(algorithmOf(named('SHA-256'), ['MD5'])).toBeUndefined();
    expect(algorithmOf(named('MD5-sess'), ['MD5'])).toBeUndefined();
  });

  test('is MD5 where none is named, if that was offered', () => {
    expect(algorithmOf(named(undefined), ['MD5'])).toBe('MD5');
    expect(algorithmOf(named(undefined), ['SHA-256'])).toBeUndefined();
  });
});

describe('the challenges of a 401', () => {
  test('by default are one, MD5', () => {
    expect(challenges(['MD5'], { realm: 'sip.kallglot.com', nonce: 'n', stale: false })).toEqual([
      'Digest realm="sip.kallglot.com", nonce="n", algorithm=MD5, qop="auth"',
    ]);
  });

  test('are one for each algorithm, in order, all with the same nonce and stale', () => {
    expect(challenges(['SHA-512-256', 'MD5'], { realm: 'r', nonce: 'n', stale: true })).toEqual([
      'Digest realm="r", nonce="n", stale=true, algorithm=SHA-512-256, qop="auth"',
      'Digest realm="r", nonce="n", stale=true, algorithm=MD5, qop="auth"',
    ]);
  });

  test('quote the realm', () => {
    expect(challenges(['MD5'], { realm: 'a"b', nonce: 'n', stale: false })[0]).toContain('realm="a\\"b"');
  });
});
