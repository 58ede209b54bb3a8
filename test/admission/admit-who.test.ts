import { describe, expect, test } from 'vitest';
import { identifyCaller } from '../../src/admission/admit.ts';
import {
  admit,
  codeOf,
  factsOf,
  none,
  organization,
  PBX,
  refusalOf,
  SESSION,
  STRANGER,
  sessionOf,
  stale,
  validOf,
  wrong,
} from './facts.ts';

/** Rows 1 to 3: the gateway, the request, who calls. */

test('a good call is admitted, for the organization of its session', () => {
  expect(admit()).toEqual({
    admitted: true,
    selfTest: null,
    organizationId: 'org_a',
    session: sessionOf('org_a'),
    role: null,
  });
});

describe('row 1: draining, over the limits', () => {
  test('a draining gateway refuses calls before anything else', () => {
    expect(codeOf({ draining: true, source: STRANGER })).toBe('draining');
    expect(codeOf({ draining: true, uri: 'sip:nobody@elsewhere.example' })).toBe('draining');
  });

  test('a draining gateway takes the call to a session whose bridge is live here, or within its rejoin time', () => {
    expect(codeOf({ draining: true, bridgeLive: true })).toBe('admitted');
    const other = 'sip:sess_01J9ZQ3V5W8X7Y6T4R2P1N0M9Z@sip.kallglot.com';
    expect(codeOf({ draining: true, bridgeLive: true, uri: other })).toBe('draining');
  });

  test('a call that comes back during a drain is checked like any other', () => {
    expect(codeOf({ draining: true, bridgeLive: true, source: STRANGER })).toBe('credentials_required');
  });

  test('a gateway over its limits refuses new calls, but takes those to a session that is up here', () => {
    expect(codeOf({ overloaded: true })).toBe('overloaded');
    expect(codeOf({ overloaded: true, bridgeLive: true })).toBe('admitted');
    expect(codeOf({ overloaded: true, draining: true, bridgeLive: true })).toBe('admitted');
    expect(codeOf({ overloaded: true, draining: true })).toBe('draining');
  });
});

describe('row 2: the request', () => {
  test('a required extension that is not there is refused and named', () => {
    expect(refusalOf({ request: { require: ['100rel', 'timer'], supported: ['timer'] } })).toMatchObject({
      refused: 'extension_required',
      unsupported: ['100rel'],
    });
  });

  test('a required extension that is there is fine, in any case', () => {
    expect(codeOf({ request: { require: ['Timer'], supported: ['timer'] } })).toBe('admitted');
  });

  test.each(['application/sdp', 'APPLICATION/SDP;x=y', 'multipart/mixed;boundary=b'])(
    'a body of %s is fine',
    (contentType) => {
      expect(codeOf({ request: { contentType } })).toBe('admitted');
    },
  );

  test.each(['text/plain', '', undefined])('a body of %s is refused', (contentType) => {
    expect(codeOf({ request: { contentType } })).toBe('content_type_unsupported');
  });

  test('a late offer, without a body, is fine', () => {
    expect(codeOf({ request: { contentType: undefined, bodyBytes: 0 } })).toBe('admitted');
  });

  test('a body of more than 64 kB is refused', () => {
    expect(codeOf({ request: { bodyBytes: 65_536 } })).toBe('admitted');
    expect(codeOf({ request: { bodyBytes: 65_537 } })).toBe('message_too_large');
  });

  test('the request is looked at before the caller', () => {
    expect(codeOf({ source: STRANGER, request: { require: ['100rel'] } })).toBe('extension_required');
  });
});

describe('row 3: who calls', () => {
  test('nobody identified: 401 and a challenge that is not stale', () => {
    expect(refusalOf({ source: STRANGER })).toEqual({
      admitted: false,
      refused: 'credentials_required',
      challenge: { stale: false },
    });
  });

  test('nobody identified and wrong credentials: 403', () => {
    expect(refusalOf({ source: STRANGER, credentials: wrong })).toEqual({
      admitted: false,
      refused: 'credentials_invalid',
      detail: 'wrong username or password',
    });
  });

  test('a stale nonce: 401 with stale=true, never 403', () => {
    const refusal = refusalOf({ source: STRANGER, credentials: stale });
    expect(refusal).toEqual({ admitted: false, refused: 'credentials_required', challenge: { stale: true } });
  });

  test('valid credentials identify from anywhere', () => {
    const call = { source: STRANGER, organizations: [organization()], credentials: validOf('org_a') };
    expect(codeOf(call)).toBe('admitted');
  });

  test('the certificate identifies the organization whose trunk it is mapped to', () => {
    const call = { source: STRANGER, transport: 'tls', organizations: [organization()] };
    expect(codeOf({ ...call, certificateOrganizations: ['org_a'] })).toBe('admitted');
    expect(codeOf({ ...call, certificateOrganizations: ['org_b'] })).toBe('credentials_required');
  });

  test('a certificate that several trunks are mapped to identifies them all, and the session decides', () => {
    const organizations = [organization(), organization({ id: 'org_b' })];
    const call = { source: STRANGER, organizations, certificateOrganizations: ['org_a', 'org_b'] };
    for (const id of ['org_a', 'org_b'])
      expect(admit({ ...call, session: sessionOf(id) })).toMatchObject({ organizationId: id });
    expect(codeOf({ ...call, session: sessionOf('org_c') })).toBe('credentials_required');
  });

  test.each([
    ['192.0.0.0/16', '192.0.2.7', 'admitted'],
    ['192.0.0.0/15', '192.0.2.7', 'credentials_required'],
    ['0.0.0.0/0', '192.0.2.7', 'credentials_required'],
    ['2001:db8::/32', '2001:db8::7', 'admitted'],
    ['2001:d00::/24', '2001:db8::7', 'credentials_required'],
  ])('the entry %s for %s: %s', (entry, source, expected) => {
    expect(codeOf({ source, organizations: [organization({ allow: [entry] })] })).toBe(expected);
  });

  test('a wide entry only satisfies row 7: with valid credentials the call is admitted', () => {
    const organizations = [organization({ allow: ['192.0.0.0/8'] })];
    expect(codeOf({ organizations, credentials: validOf('org_a') })).toBe('admitted');
  });

  test('a wide entry with wrong credentials: 403', () => {
    const organizations = [organization({ allow: ['192.0.0.0/8'] })];
    expect(codeOf({ organizations, credentials: wrong })).toBe('credentials_invalid');
  });

  test('without require_digest, wrong credentials from an allowlisted address are ignored', () => {
    expect(codeOf({ credentials: wrong })).toBe('admitted');
    expect(codeOf({ credentials: stale })).toBe('admitted');
  });

  test.each([
    ['a session that exists', {}],
    ['a session that does not', { session: null }],
    ['a session that has ended', { session: sessionOf('org_a', { status: 'ended' }) }],
    ['no session at all', { uri: 'sip:hello@sip.kallglot.com', session: null }],
    ['another domain', { uri: `sip:${SESSION}@elsewhere.example` }],
    ['a wrong role', { roleHeader: 'boss' }],
    ['an organization that is off', { organizations: [organization({ active: false, allow: [PBX] })] }],
  ] as const)('a source that is not identified learns nothing about %s', (_, call) => {
    for (const credentials of [none, stale, wrong]) {
      const refusal = refusalOf({ ...(call as object), source: STRANGER, credentials });
      expect(refusal).toEqual(refusalOf({ source: STRANGER, credentials }));
    }
  });

  test('rows 1 to 3 can be judged alone, before a session is looked up', () => {
    const { gateway, request, caller, called } = factsOf();
    const identified = identifyCaller({ gateway, request, caller, uri: called.uri });
    expect(Array.isArray(identified) && identified.map((each) => each.id)).toEqual(['org_a']);
  });
});
