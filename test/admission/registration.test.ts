import { describe, expect, test } from 'vitest';
import { admitRegister, type Binding, register } from '../../src/admission/registration.ts';
import { type Call, factsOf, none, organization, PBX, STRANGER, stale, validOf, wrong } from './facts.ts';

const NOW = 1_700_000_000_000;

describe('who may REGISTER', () => {
  const ask = (call: Call) => {
    const { gateway, request, caller } = factsOf({ request: { bodyBytes: 0 }, ...call });
    return admitRegister(gateway, request, caller);
  };
  const codeOf = (call: Call) => {
    const admission = ask(call);
    return admission.admitted ? admission.organization.id : admission.refused;
  };

  test('the one who has the password', () => {
    expect(codeOf({ source: STRANGER, organizations: [organization()], credentials: validOf('org_a') })).toBe(
      'org_a',
    );
  });

  test('nobody by the address alone', () => {
    expect(ask({ credentials: none })).toMatchObject({
      refused: 'credentials_required',
      challenge: { stale: false },
    });
    expect(ask({ credentials: stale })).toMatchObject({
      refused: 'credentials_required',
      challenge: { stale: true },
    });
    expect(ask({ certificateOrganizations: ['org_a'] })).toMatchObject({ refused: 'credentials_required' });
  });

  test('nobody with wrong credentials, from an allowlisted address either', () => {
    expect(ask({ credentials: wrong })).toMatchObject({ refused: 'credentials_invalid' });
  });

  test.each([
    ['draining', { draining: true, bridgeLive: true }, 'draining'],
    ['overloaded', { overloaded: true }, 'overloaded'],
    ['an extension', { request: { bodyBytes: 0, require: ['outbound'] } }, 'extension_required'],
    ['inactive', { organizations: [organization({ active: false })] }, 'organization_inactive'],
    ['SIP off', { organizations: [organization({ sipEnabled: false })] }, 'sip_not_enabled'],
    [
      'not on the allowlist',
      { organizations: [organization({ allow: [PBX] })], source: STRANGER },
      'ip_not_allowed',
    ],
    ['not TLS', { organizations: [organization({ requireTls: true })] }, 'tls_required'],
  ] satisfies [string, Call, string][])('rows 1, 2, 6, 7 and 9 hold: %s', (_, call, code) => {
    expect(codeOf({ credentials: validOf('org_a'), ...call })).toBe(code);
  });
});

describe('the bindings', () => {
  const contact = (uri: string, expires: number | null = null) => ({ uri, expires });
  const bound = (uri: string, seconds: number): Binding => ({
    contact: uri,
    expiresAt: NOW + seconds * 1000,
  });
  const contactsOf = (result: ReturnType<typeof register>) =>
    'contacts' in result ? result.contacts : result;
  const codeOf = (result: ReturnType<typeof register>) =>
    'refused' in result ? result.refused : 'registered';

  test('last as long as the Contact says, else the Expires header, else an hour', () => {
    const request = { contacts: [contact('sip:a@x', 90), contact('sip:b@x')], expires: 120 };
    expect(contactsOf(register([], request, NOW))).toEqual([
      { uri: 'sip:a@x', expires: 90 },
      { uri: 'sip:b@x', expires: 120 },
    ]);
    expect(contactsOf(register([], { contacts: [contact('sip:a@x')], expires: null }, NOW))).toEqual([
      { uri: 'sip:a@x', expires: 3600 },
    ]);
  });

  test('last no longer than 3600 s', () => {
    expect(contactsOf(register([], { contacts: [contact('sip:a@x', 86_400)], expires: null }, NOW))).toEqual([
      { uri: 'sip:a@x', expires: 3600 },
    ]);
  });

  test('of less than 60 s are refused with 423, and nothing of that REGISTER is done', () => {
    const current = [bound('sip:a@x', 600)];
    const contacts = [contact('sip:a@x', 0), contact('sip:b@x', 59)];
    expect(codeOf(register(current, { contacts, expires: null }, NOW))).toBe('interval_too_brief');
    expect(codeOf(register([], { contacts: [contact('sip:b@x', 60)], expires: null }, NOW))).toBe(
      'registered',
    );
    expect(current).toEqual([bound('sip:a@x', 600)]);
  });

  test('are refreshed by the same Contact, and removed by expires=0', () => {
    const current = [bound('sip:a@x', 100), bound('sip:b@x', 100)];
    const request = { contacts: [contact('sip:a@x', 600), contact('sip:b@x', 0)], expires: null };
    expect(register(current, request, NOW)).toEqual({
      bindings: [bound('sip:a@x', 600)],
      contacts: [{ uri: 'sip:a@x', expires: 600 }],
    });
  });

  test('are listed by a REGISTER without Contact, without those that have expired', () => {
    const current = [bound('sip:a@x', 100.5), bound('sip:gone@x', 0)];
    expect(contactsOf(register(current, { contacts: [], expires: null }, NOW))).toEqual([
      { uri: 'sip:a@x', expires: 101 },
    ]);
  });

  test('are all removed by Contact: *, which needs Expires: 0', () => {
    const current = [bound('sip:a@x', 100)];
    expect(register(current, { contacts: '*', expires: 0 }, NOW)).toEqual({ bindings: [], contacts: [] });
    expect(codeOf(register(current, { contacts: '*', expires: 60 }, NOW))).toBe('bad_request');
    expect(codeOf(register(current, { contacts: '*', expires: null }, NOW))).toBe('bad_request');
  });

  test('are 10 at most: the one that would expire first makes room', () => {
    const current = Array.from({ length: 10 }, (_, index) => bound(`sip:${index}@x`, 1000 - index));
    const result = contactsOf(
      register(current, { contacts: [contact('sip:new@x', 3600)], expires: null }, NOW),
    );
    expect(result).toHaveLength(10);
    expect(result).not.toContainEqual(expect.objectContaining({ uri: 'sip:9@x' }));
    expect(result).toContainEqual({ uri: 'sip:new@x', expires: 3600 });
  });

  test('may be 10', () => {
    const current = Array.from({ length: 9 }, (_, index) => bound(`sip:${index}@x`, 1000));
    const result = register(current, { contacts: [contact('sip:new@x')], expires: null }, NOW);
    expect(contactsOf(result)).toHaveLength(10);
  });

  test('of more than 512 characters are refused', () => {
    expect(
      codeOf(register([], { contacts: [contact(`sip:${'a'.repeat(512)}@x`)], expires: null }, NOW)),
    ).toBe('bad_request');
  });
});
