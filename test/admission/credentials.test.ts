import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checkCredentials } from '../../src/admission/credentials.ts';
import type { DigestAlgorithm } from '../../src/admission/digest.ts';
import { Nonces } from '../../src/admission/nonce.ts';
import { PBX, SESSION, STRANGER, TestClock } from './facts.ts';

const REALM = 'sip.kallglot.com';
const URI = `sip:${SESSION}@sip.kallglot.com`;
const names: Record<DigestAlgorithm, string> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};
const hash = (algorithm: DigestAlgorithm, text: string) =>
  createHash(names[algorithm]).update(text).digest('hex');
const ha1 = (algorithm: DigestAlgorithm, password = 'secret') =>
  hash(algorithm, `trunk:${REALM}:${password}`);

interface Answer {
  nonce: string;
  nc?: string;
  password?: string;
  username?: string;
  algorithm?: DigestAlgorithm;
  uri?: string;
  /** Put in place of, or behind, the usual parameters. */
  more?: Record<string, string | undefined>;
}

/** What a right client would send. */
function authorization({
  nonce,
  nc = '00000001',
  password,
  username = 'trunk',
  algorithm = 'MD5',
  uri = URI,
  more = {},
}: Answer) {
  const ha2 = hash(algorithm, `INVITE:${uri}`);
  const response = hash(algorithm, `${ha1(algorithm, password)}:${nonce}:${nc}:abc:auth:${ha2}`);
  const parameters: Record<string, string | undefined> = {
    username,
    realm: REALM,
    nonce,
    uri,
    response,
    algorithm,
    qop: 'auth',
    nc,
    cnonce: 'abc',
    ...more,
  };
  const written = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}="${value}"`],
  );
  return `Digest ${written.join(', ')}`;
}

function gateway(algorithms: DigestAlgorithm[] = ['MD5']) {
  const clock = new TestClock();
  const nonces = new Nonces({ key: 'k'.repeat(32), node: 'node-1', clock });
  const all = { MD5: ha1('MD5'), 'SHA-256': ha1('SHA-256'), 'SHA-512-256': ha1('SHA-512-256') };
  const lookup = (username: string) =>
    username === 'trunk' ? { organizationId: 'org_a', ha1: all } : undefined;
  const check = (text: string | undefined, source = PBX, uri = URI) =>
    checkCredentials(
      { authorization: text, method: 'INVITE', uri, source },
      { realm: REALM, algorithms, nonces, lookup },
    );
  return { clock, nonces, check, issue: (source = PBX) => nonces.issue(source) };
}

describe('credentials', () => {
  test('that are not there are none', () => {
    expect(gateway().check(undefined)).toMatchObject({ verdict: 'none', countsForBan: false });
  });

  test('for another realm, or unreadable, are none', () => {
    const { check, issue } = gateway();
    expect(check(authorization({ nonce: issue(), more: { realm: 'elsewhere' } })).verdict).toBe('none');
    expect(check('Digest nonsense').verdict).toBe('none');
  });

  test.each(['MD5', 'SHA-256', 'SHA-512-256'] as const)(
    'by %s that are right are valid, and tell the organization',
    (algorithm) => {
      const { check, issue } = gateway(['MD5', 'SHA-256', 'SHA-512-256']);
      expect(check(authorization({ nonce: issue(), algorithm }))).toEqual({
        verdict: 'valid',
        organizationId: 'org_a',
        claimedOrganization: 'org_a',
        countsForBan: false,
        detail: null,
      });
    },
  );

  test('without an algorithm are checked by MD5', () => {
    const { check, issue } = gateway(['SHA-256', 'MD5']);
    expect(check(authorization({ nonce: issue(), more: { algorithm: undefined } })).verdict).toBe('valid');
  });

  test('are checked in the realm of the setting, whatever host the Request-URI names', () => {
    const { check, issue } = gateway();
    const uri = `sip:${SESSION}@198.51.100.1:5060`;
    expect(check(authorization({ nonce: issue(), uri }), PBX, uri).verdict).toBe('valid');
  });

  test.each([
    ['a wrong password', { password: 'guess' }, 'org_a'],
    ['a username that nobody has', { username: 'nobody' }, null],
  ])('with %s are invalid, and count for a ban at the address that was challenged', (_, change, claimed) => {
    const { check, issue } = gateway();
    expect(check(authorization({ nonce: issue(), ...change }))).toMatchObject({
      verdict: 'invalid',
      organizationId: null,
      claimedOrganization: claimed,
      countsForBan: true,
    });
  });

  test('with a wrong password and a nonce that was issued to another address do not count for a ban', () => {
    const { check, issue } = gateway();
    const text = authorization({ nonce: issue(STRANGER), password: 'guess' });
    expect(check(text)).toMatchObject({ verdict: 'invalid', countsForBan: false });
  });

  test('that are right are valid from another address than the challenged one', () => {
    const { check, issue } = gateway();
    expect(check(authorization({ nonce: issue(STRANGER) })).verdict).toBe('valid');
  });

  test("nobody's username is not let in by the HA1 that stands in for it", () => {
    const { check, issue } = gateway();
    const nonce = issue();
    const ha2 = hash('MD5', `INVITE:${URI}`);
    const response = hash('MD5', `${'0'.repeat(64)}:${nonce}:00000001:abc:auth:${ha2}`);
    expect(check(authorization({ nonce, username: 'nobody', more: { response } })).verdict).toBe('invalid');
  });
});

describe('a stale nonce is never wrong credentials, whatever the password', () => {
  test.each([
    ['one that is not ours', () => 'made-up'],
    [
      'one of another node',
      () => new Nonces({ key: 'k'.repeat(32), node: 'node-2', clock: new TestClock() }).issue(PBX),
    ],
    [
      'one signed with another key',
      () => new Nonces({ key: 'other', node: 'node-1', clock: new TestClock() }).issue(PBX),
    ],
  ])('%s', (_, nonce) => {
    const { check } = gateway();
    for (const password of ['secret', 'guess']) {
      expect(check(authorization({ nonce: nonce(), password }))).toMatchObject({
        verdict: 'stale',
        countsForBan: false,
      });
    }
  });

  test('one that has expired', () => {
    const { clock, check, issue } = gateway();
    const nonce = issue();
    clock.advance(300_001);
    expect(check(authorization({ nonce, password: 'guess' }))).toMatchObject({
      verdict: 'stale',
      countsForBan: false,
    });
  });

  test('one whose nc comes again with a new request', () => {
    const { check, issue } = gateway();
    const nonce = issue();
    expect(check(authorization({ nonce })).verdict).toBe('valid');
    expect(check(authorization({ nonce })).verdict).toBe('stale');
    expect(check(authorization({ nonce, password: 'guess' }))).toMatchObject({
      verdict: 'stale',
      countsForBan: false,
    });
    expect(check(authorization({ nonce, nc: '00000002' })).verdict).toBe('valid');
  });
});

describe('what cannot be right whatever the password is invalid, says why, and counts for no ban', () => {
  test.each([
    [
      'an algorithm that was not offered',
      { algorithm: 'SHA-256' },
      'the algorithm is not one that was offered',
    ],
    ['userhash', { more: { userhash: 'true' } }, 'userhash is not supported'],
    ['no qop, as in RFC 2069', { more: { qop: undefined } }, 'qop must be auth'],
    ['qop=auth-int', { more: { qop: 'auth-int' } }, 'qop must be auth'],
    ['no nc', { more: { nc: undefined } }, 'nc must be a hexadecimal number of up to 8 digits'],
    [
      'an nc that is no number',
      { more: { nc: 'first' } },
      'nc must be a hexadecimal number of up to 8 digits',
    ],
    ['no cnonce', { more: { cnonce: undefined } }, 'cnonce is missing'],
    [
      'another session',
      { uri: 'sip:sess_01J9ZQ3V5W8X7Y6T4R2P1N0M9Z@sip.kallglot.com' },
      'the credentials were made for another address',
    ],
  ] satisfies [string, Partial<Answer>, string][])('%s', (_, change, detail) => {
    const { check, issue } = gateway();
    expect(check(authorization({ nonce: issue(), ...change }))).toEqual({
      verdict: 'invalid',
      organizationId: null,
      claimedOrganization: null,
      countsForBan: false,
      detail,
    });
  });
});

test.each([
  ['a host that a proxy has rewritten', `sip:${SESSION}@proxy.example:5080;transport=tcp`],
  ['an escaped user part', `sip:%73${SESSION.slice(1)}@sip.kallglot.com`],
  ['the host alone', 'sip:198.51.100.1:5060'],
])('the uri of an answer may differ in %s', (_, uri) => {
  const { check, issue } = gateway();
  expect(check(authorization({ nonce: issue(), uri })).verdict).toBe('valid');
});
