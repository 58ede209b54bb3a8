import { describe, expect, test } from 'vitest';
import { codeOf, organization, PBX, refusalOf, STRANGER, sessionOf, stale, validOf, wrong } from './facts.ts';

/** Rows 6 to 10: the organization's trunk, and the session. */

describe('row 6: the organization is active and has SIP enabled', () => {
  test.each([
    [{ active: false }, 'organization_inactive'],
    [{ sipEnabled: false }, 'sip_not_enabled'],
    [{ active: false, sipEnabled: false }, 'organization_inactive'],
  ])('%o: %s', (facts, code) => {
    expect(codeOf({ organizations: [organization({ allow: [PBX], ...facts })] })).toBe(code);
  });
});

describe('row 7: the allowlist', () => {
  const organizations = [organization({ allow: ['192.0.2.0/24'] })];

  test('a right password does not replace the address', () => {
    expect(refusalOf({ source: STRANGER, organizations, credentials: validOf('org_a') })).toMatchObject({
      refused: 'ip_not_allowed',
      detail: STRANGER,
    });
  });

  test('a certificate does not replace the address either', () => {
    expect(codeOf({ source: STRANGER, organizations, certificateOrganizations: ['org_a'] })).toBe(
      'ip_not_allowed',
    );
  });

  test('without an allowlist any address is fine', () => {
    expect(codeOf({ source: STRANGER, organizations: [organization()], credentials: validOf('org_a') })).toBe(
      'admitted',
    );
  });
});

describe('row 8: the trunk asks for a password as well', () => {
  const organizations = [
    organization({ allow: [PBX], requireDigest: true }),
    organization({ id: 'org_b', allow: [PBX] }),
  ];

  test('none given: 401', () => {
    expect(refusalOf({ organizations })).toMatchObject({
      refused: 'credentials_required',
      challenge: { stale: false },
    });
  });

  test('a stale nonce: 401 with stale=true', () => {
    expect(refusalOf({ organizations, credentials: stale }).challenge).toEqual({ stale: true });
  });

  test('wrong ones: 403', () => {
    expect(codeOf({ organizations, credentials: wrong })).toBe('credentials_invalid');
  });

  test('those of another organization are wrong ones', () => {
    expect(refusalOf({ organizations, credentials: validOf('org_b') })).toMatchObject({
      refused: 'credentials_invalid',
      detail: 'credentials of another organization',
    });
  });

  test('right ones: admitted', () => {
    expect(codeOf({ organizations, credentials: validOf('org_a') })).toBe('admitted');
  });

  test('the address is looked at first', () => {
    const [strict] = organizations;
    const call = { source: STRANGER, organizations: [strict!], certificateOrganizations: ['org_a'] };
    expect(codeOf(call)).toBe('ip_not_allowed');
  });
});

describe('row 9: the trunk asks for TLS', () => {
  const organizations = [organization({ allow: [PBX], requireTls: true })];

  test.each([
    ['udp', 'tls_required'],
    ['tcp', 'tls_required'],
    ['ws', 'tls_required'],
    ['tls', 'admitted'],
    ['TLS', 'admitted'],
    ['wss', 'admitted'],
  ])('%s: %s', (transport, expected) => {
    expect(codeOf({ organizations, transport })).toBe(expected);
  });
});

describe('row 10: the session', () => {
  test.each(['twilio', 'telnyx', 'webrtc'])('one that was routed to %s: 403', (provider) => {
    expect(codeOf({ session: sessionOf('org_a', { provider }) })).toBe('session_not_sip');
    expect(codeOf({ session: sessionOf('org_a', { provider, status: 'ended' }) })).toBe('session_not_sip');
  });

  test.each([
    ['created', 'admitted'],
    ['active', 'admitted'],
    ['ended', 'session_ended'],
  ] as const)('one that is %s: %s', (status, expected) => {
    expect(codeOf({ session: sessionOf('org_a', { status }) })).toBe(expected);
  });

  test('the trunk is looked at first', () => {
    const session = sessionOf('org_a', { status: 'ended' });
    expect(codeOf({ session, organizations: [organization({ allow: [PBX], sipEnabled: false })] })).toBe(
      'sip_not_enabled',
    );
  });
});
