import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { algorithmOf, parseAuthorization, responseMatches } from '../../src/admission/digest.ts';
import { digestAlgorithms as algorithms, type DigestAlgorithm } from '../../src/config/digest-algorithms.ts';
import { ChallengeAnswers } from '../../src/sip/challenge-answers.ts';

const URI = 'sip:+49301234567@carrier.example';

/** A callee that asks for a password, and judges what it gets. */
class Callee {
  readonly answers = new ChallengeAnswers({ username: 'a"b', password: 'secret' });

  asks(status: 401 | 407, ...challenges: string[]): boolean {
    const name = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
    const get = (header: string) => (header === name ? challenges.join(',') : undefined);
    return this.answers.take({ status, get });
  }

  /** The algorithm by which the answer for `realm` is right. */
  judges(realm: string, name = 'Authorization'): DigestAlgorithm | undefined {
    const answer = parseAuthorization(this.answers.headers('INVITE', URI)[name] ?? '', realm)!;
    const algorithm = algorithmOf(answer, algorithms)!;
    const ha1 = createHash(algorithm.toLowerCase().replace('-', ''))
      .update(`a"b:${realm}:secret`)
      .digest('hex');
    return responseMatches(answer, 'INVITE', algorithm, ha1) ? algorithm : undefined;
  }
}

describe('a challenge is answered', () => {
  test.each(algorithms)('by %s', (algorithm) => {
    const callee = new Callee();
    expect(
      callee.asks(401, `Digest realm="r, \\"s\\"",nonce="n",qop="auth-int,auth",algorithm=${algorithm}`),
    ).toBe(true);
    expect(callee.judges('r, "s"')).toBe(algorithm);
  });

  test('by the first algorithm that we know, of several', () => {
    const callee = new Callee();
    const asked = callee.asks(
      401,
      'Digest realm="r", nonce="1", algorithm=AES-1, qop="auth"',
      'DIGEST realm="r", nonce="2", algorithm=SHA-256, qop="auth"',
      'Digest realm="r", nonce="3", algorithm=MD5, qop="auth"',
    );
    expect([asked, callee.judges('r')]).toEqual([true, 'SHA-256']);
  });

  test('without qop as RFC 2069 has it, and with what is opaque', () => {
    const callee = new Callee();
    callee.asks(407, 'Digest realm="r", nonce="n", opaque=""');
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    const response = md5(`${md5('a"b:r:secret')}:n:${md5(`INVITE:${URI}`)}`);
    expect(callee.answers.headers('INVITE', URI)).toEqual({
      'Proxy-Authorization': `Digest username="a\\"b", realm="r", nonce="n", uri="${URI}", response="${response}", opaque=""`,
    });
  });

  test('of a proxy, and then of the callee behind it: both get theirs, counted', () => {
    const callee = new Callee();
    expect(callee.asks(407, 'Digest realm="proxy", nonce="p", qop="auth"')).toBe(true);
    expect(callee.judges('proxy', 'Proxy-Authorization')).toBe('MD5');
    expect(callee.asks(401, 'Digest realm="callee", nonce="c", qop="auth"')).toBe(true);
    expect(callee.judges('callee')).toBe('MD5');
    const { 'Proxy-Authorization': again } = callee.answers.headers('INVITE', URI);
    expect(again).toContain('nonce="p"');
    expect(again).toContain('nc=00000003');
  });

  test('once more where the nonce was old, a few times', () => {
    const callee = new Callee();
    const stale = (n: number) => callee.asks(401, `Digest realm="r", nonce="${n}", qop="auth", stale=TRUE`);
    expect([1, 2, 3, 4, 5].map(stale)).toEqual([true, true, true, true, false]);
  });
});

describe('a challenge is not answered', () => {
  test.each([
    ['without a nonce', 'Digest realm="r"'],
    ['by another scheme', 'Basic realm="r"'],
    ['that wants the body signed', 'Digest realm="r", nonce="n", qop="auth-int"'],
    ['by an algorithm that is not ours', 'Digest realm="r", nonce="n", algorithm=AES-1'],
    ['that cannot be read', 'Digest realm="r, nonce'],
  ])('%s', (_, challenge) => {
    expect(new Callee().asks(401, challenge)).toBe(false);
  });

  test('a second time, when the password was wrong', () => {
    const callee = new Callee();
    const ask = () => callee.asks(401, 'Digest realm="r", nonce="n", qop="auth", stale=false');
    expect([ask(), ask()]).toEqual([true, false]);
  });
});
