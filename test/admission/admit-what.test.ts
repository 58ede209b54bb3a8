import { describe, expect, test } from 'vitest';
import { parseCalledUri } from '../../src/admission/called-uri.ts';
import {
  admit,
  codeOf,
  organization,
  own,
  PBX,
  refusalOf,
  SESSION,
  STRANGER,
  sessionOf,
  stale,
  validOf,
  wrong,
} from './facts.ts';

/** Rows 4 and 5: what is called, and whose it is. */

describe('row 4: the called address', () => {
  test('a domain that is not ours: 404', () => {
    expect(codeOf({ uri: `sip:${SESSION}@elsewhere.example` })).toBe('not_a_session');
  });

  test.each([
    'sip.kallglot.com',
    'SIP.Kallglot.COM:5061',
    '198.51.100.1',
    '198.51.100.1:5060',
    '[2001:DB8:0::1]:5060',
  ])('a domain of ours, or one of our addresses: %s', (host) => {
    expect(codeOf({ uri: `sip:${SESSION}@${host}` })).toBe('admitted');
  });

  test.each([
    'sip:hello@sip.kallglot.com',
    'sip:sip.kallglot.com',
    'sip:sess_short@sip.kallglot.com',
    'tel:+4930123456',
    'nonsense',
  ])('%s is no session: 404', (uri) => {
    expect(codeOf({ uri, session: null })).toBe('not_a_session');
  });

  test('a role other than the two: 400', () => {
    expect(codeOf({ uri: `sip:${SESSION}@sip.kallglot.com;role=boss` })).toBe('role_invalid');
    expect(codeOf({ roleHeader: 'boss' })).toBe('role_invalid');
  });

  test('what is wrong with the address comes before what is wrong with the role', () => {
    expect(codeOf({ uri: 'sip:hello@sip.kallglot.com;role=boss', session: null })).toBe('not_a_session');
  });

  test('the role that the caller named is in the admission', () => {
    expect(admit({ roleHeader: 'agent' })).toMatchObject({ admitted: true, role: 'agent' });
    expect(
      admit({ uri: `sip:${SESSION}@sip.kallglot.com;role=customer`, roleHeader: 'agent' }),
    ).toMatchObject({ role: 'customer' });
    expect(admit()).toMatchObject({ role: null });
  });
});

describe('row 5: the session exists, and belongs to an organization that was identified', () => {
  const a = organization({ id: 'org_a', allow: [PBX] });
  const b = organization({ id: 'org_b' });

  test('a session that does not exist: 404', () => {
    expect(codeOf({ session: null })).toBe('session_not_found');
  });

  test('the session of another organization and no credentials: 401, so that the password can say who calls', () => {
    expect(refusalOf({ organizations: [a, b], session: sessionOf('org_b') })).toMatchObject({
      refused: 'credentials_required',
      challenge: { stale: false },
    });
  });

  test('the session of another organization and stale credentials: 401 again, with stale=true', () => {
    const call = { organizations: [a, b], session: sessionOf('org_b'), credentials: stale };
    expect(refusalOf(call)).toMatchObject({ refused: 'credentials_required', challenge: { stale: true } });
  });

  test("the session of another organization and that one's credentials: admitted", () => {
    const call = { organizations: [a, b], session: sessionOf('org_b'), credentials: validOf('org_b') };
    expect(admit(call)).toMatchObject({ admitted: true, organizationId: 'org_b' });
  });

  test('the session of another organization and wrong credentials: 404', () => {
    const call = { organizations: [a, b], session: sessionOf('org_b'), credentials: wrong };
    expect(codeOf(call)).toBe('session_not_found');
  });

  test('the credentials of A with a session of B: 404, from anywhere', () => {
    const call = { organizations: [a, b], session: sessionOf('org_b'), credentials: validOf('org_a') };
    expect(codeOf(call)).toBe('session_not_found');
    expect(codeOf({ ...call, source: STRANGER })).toBe('session_not_found');
  });
});

describe('a self-test number', () => {
  const a = organization({ id: 'org_a', allow: [PBX] });
  const b = organization({ id: 'org_b', allow: [PBX] });
  const uri = 'sip:Echo@sip.kallglot.com';

  test('is for whoever is identified, needs no session, and is found in any case', () => {
    expect(admit({ uri, session: null, organizations: [a] })).toMatchObject({
      ...{ admitted: true, organizationId: 'org_a', session: null, selfTest: 'echo' },
    });
    expect(admit({ uri: 'sip:test@sip.kallglot.com', session: null })).toMatchObject({ selfTest: 'test' });
    expect(admit({ session: sessionOf('org_a') })).toMatchObject({ admitted: true, selfTest: null });
  });

  test('of two at one address the username decides', () => {
    const shared = { uri, session: null, organizations: [a, b] };
    expect(admit(shared)).toMatchObject({ refused: 'credentials_required' });
    const named = admit({ ...shared, credentials: validOf('org_b') });
    expect(named).toMatchObject({ admitted: true, organizationId: 'org_b' });
  });

  test("passes the trunk's rows, and comes before inbound-first", () => {
    const disabled = organization({ id: 'org_a', allow: [PBX], sipEnabled: false });
    expect(admit({ uri, session: null, organizations: [disabled] })).toMatchObject({
      refused: 'sip_not_enabled',
    });
    const inboundFirst = organization({ id: 'org_a', allow: [PBX], inboundFirst: true });
    expect(admit({ uri, session: null, organizations: [inboundFirst] })).toMatchObject({ selfTest: 'echo' });
    expect(admit({ uri, session: null, draining: true })).toMatchObject({ refused: 'draining' });
  });

  test('whose name is empty is none', () => {
    const unnamed = { ...own, selfTests: { echo: '', test: 'probe' } };
    expect(parseCalledUri('sip:@sip.kallglot.com', unnamed)?.target).toEqual({ kind: 'other' });
    expect(parseCalledUri('sip:echo@sip.kallglot.com', unnamed)?.target).toEqual({ kind: 'other' });
    expect(parseCalledUri('sip:probe@sip.kallglot.com', unnamed)?.target).toEqual({
      ...{ kind: 'self_test', test: 'test' },
    });
  });
});

describe('inbound-first', () => {
  const uri = 'sip:+4930123456@sip.kallglot.com';
  const a = organization({ id: 'org_a', allow: [PBX], inboundFirst: true });
  const b = organization({ id: 'org_b', allow: [PBX], inboundFirst: true });
  const plain = organization({ id: 'org_c', allow: [PBX] });

  test('where a trunk has it on, anything may be called, and the session is made later', () => {
    expect(admit({ uri, organizations: [a], session: null })).toEqual({
      admitted: true,
      selfTest: null,
      organizationId: 'org_a',
      session: null,
      role: null,
    });
  });

  test('where no trunk of the caller has it on: 404', () => {
    expect(codeOf({ uri, organizations: [plain], session: null })).toBe('not_a_session');
    expect(
      codeOf({
        uri,
        organizations: [plain, organization({ id: 'org_d', inboundFirst: true })],
        session: null,
      }),
    ).toBe('not_a_session');
  });

  test('an address without a user part is nothing', () => {
    expect(codeOf({ uri: 'sip:sip.kallglot.com', organizations: [a], session: null })).toBe('not_a_session');
  });

  test('several candidates at one address: 401, and then the username decides', () => {
    const call = { uri, organizations: [a, b], session: null };
    expect(refusalOf(call)).toMatchObject({ refused: 'credentials_required', challenge: { stale: false } });
    expect(refusalOf({ ...call, credentials: stale }).challenge).toEqual({ stale: true });
    expect(admit({ ...call, credentials: validOf('org_b') })).toMatchObject({ organizationId: 'org_b' });
    expect(codeOf({ ...call, credentials: wrong })).toBe('credentials_invalid');
  });

  test('one candidate among several organizations at the address is the one', () => {
    expect(admit({ uri, organizations: [plain, a], session: null })).toMatchObject({
      organizationId: 'org_a',
    });
  });

  test("an inbound-first call passes the trunk's rows as well", () => {
    expect(codeOf({ uri, organizations: [{ ...a, sipEnabled: false }], session: null })).toBe(
      'sip_not_enabled',
    );
    expect(codeOf({ uri, organizations: [{ ...a, requireDigest: true }], session: null })).toBe(
      'credentials_required',
    );
  });

  test('a session id is a session all the same', () => {
    expect(codeOf({ organizations: [a], session: null })).toBe('session_not_found');
  });
});
