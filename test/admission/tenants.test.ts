import { describe, expect, test } from 'vitest';
import { admit, codeOf, organization, PBX, STRANGER, sessionOf, validOf, wrong } from './facts.ts';

/** Organizations know nothing of each other, also where they share an address. */

const SBC = '192.0.2.200';

describe('several organizations share an address', () => {
  const a = organization({ id: 'org_a', allow: [SBC] });
  const b = organization({ id: 'org_b', allow: [SBC] });

  test.each(['org_a', 'org_b'])('the session decides which one is meant: %s', (id) => {
    const call = { source: SBC, organizations: [a, b], session: sessionOf(id) };
    expect(admit(call)).toMatchObject({ admitted: true, organizationId: id });
  });

  test('one that is off, or asks for more, does not touch the calls of the other', () => {
    for (const facts of [
      { active: false },
      { sipEnabled: false },
      { requireDigest: true },
      { requireTls: true },
    ]) {
      const organizations = [{ ...a, ...facts }, b];
      expect(codeOf({ source: SBC, organizations, session: sessionOf('org_b') })).toBe('admitted');
      expect(codeOf({ source: SBC, organizations, session: sessionOf('org_a') })).not.toBe('admitted');
    }
  });

  test('wrong credentials with the one do not touch the calls of the other', () => {
    const call = { source: SBC, organizations: [a, b], credentials: wrong, session: sessionOf('org_b') };
    expect(codeOf(call)).toBe('admitted');
  });

  test('the credentials of the one do not shut the address out of the other', () => {
    const call = { source: SBC, organizations: [a, b], credentials: validOf('org_a') };
    expect(admit({ ...call, session: sessionOf('org_b') })).toMatchObject({ organizationId: 'org_b' });
  });
});

describe("one tenant's list", () => {
  test("never locks out another's calls: B without a list is called from anywhere, whatever A's list says", () => {
    const organizations = [organization({ id: 'org_a', allow: [PBX] }), organization({ id: 'org_b' })];
    const call = {
      source: STRANGER,
      organizations,
      credentials: validOf('org_b'),
      session: sessionOf('org_b'),
    };
    expect(codeOf(call)).toBe('admitted');
  });

  test("never lets in another's calls: an address on A's list is nobody to B", () => {
    const organizations = [
      organization({ id: 'org_a', allow: [STRANGER] }),
      organization({ id: 'org_b', allow: [PBX] }),
    ];
    const call = { source: STRANGER, organizations, session: sessionOf('org_b') };
    expect(codeOf(call)).toBe('credentials_required');
    expect(codeOf({ ...call, credentials: wrong })).toBe('session_not_found');
    expect(codeOf({ ...call, credentials: validOf('org_b') })).toBe('ip_not_allowed');
  });

  test.each(['0.0.0.0/0', '::/0'])("with the entry %s never identifies for anybody's calls", (entry) => {
    const organizations = [organization({ id: 'org_a', allow: [entry] }), organization({ id: 'org_b' })];
    for (const id of ['org_a', 'org_b']) {
      expect(codeOf({ source: STRANGER, organizations, session: sessionOf(id) })).toBe(
        'credentials_required',
      );
    }
  });
});

test("A's certificate opens no session of B", () => {
  const organizations = [organization({ id: 'org_a' }), organization({ id: 'org_b' })];
  const call = { source: STRANGER, transport: 'tls', organizations, certificateOrganizations: ['org_a'] };
  expect(codeOf({ ...call, session: sessionOf('org_b') })).toBe('credentials_required');
  expect(codeOf({ ...call, session: sessionOf('org_b'), credentials: validOf('org_a') })).toBe(
    'session_not_found',
  );
});

test('the operator is told of a certificate that no trunk names', () => {
  const call = { source: STRANGER, organizations: [organization({ id: 'org_a' })] };
  expect(admit({ ...call, strangeCertificate: 'pbx.example.com' })).toMatchObject({
    refused: 'credentials_required',
    detail: 'no trunk names its certificate, pbx.example.com',
  });
});

test('an organization that is not identified is not judged: its state stays hidden from the others', () => {
  const organizations = [
    organization({ id: 'org_a', allow: [PBX] }),
    organization({ id: 'org_b', active: false }),
  ];
  const open = [organization({ id: 'org_a', allow: [PBX] }), organization({ id: 'org_b' })];
  const call = { session: sessionOf('org_b', { status: 'ended' }), credentials: validOf('org_a') };
  expect(admit({ ...call, organizations })).toEqual(admit({ ...call, organizations: open }));
});
