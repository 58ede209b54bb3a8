import { describe, expect, test } from 'vitest';
import { ApiError } from '../../src/errors.ts';
import {
  type OutboundPolicy,
  type OutboundRoute,
  resolveDestination,
} from '../../src/telephony/destination.ts';

const credentials = { username: 'acme', password: 'secret' };
const trunk: OutboundRoute = { host: 'SIP.Carrier.example', port: null, transport: 'udp', credentials };
const policy: OutboundPolicy = {
  trunk,
  callerId: null,
  allowedNumbers: ['+1', '!+1900', '+190055', '+49'],
  allowedDomains: ['pbx.example.com', '*.branch.example.com', '192.0.2.7', '[2001:DB8::1]'],
};
const isOwn = (host: string, port: number) =>
  host === 'sip.kallglot.com' || (host === '127.0.0.1' && port === 5060);
const to = (destination: string, change: Partial<OutboundPolicy> = {}) =>
  resolveDestination(destination, { ...policy, ...change }, isOwn);

function refusal(destination: string, change: Partial<OutboundPolicy> = {}): string {
  try {
    return `allowed: ${to(destination, change).uri}`;
  } catch (error) {
    if (error instanceof ApiError) return error.code;
    throw error;
  }
}

describe('a number', () => {
  test('goes through the trunk, with its credentials', () => {
    expect(to('+1 (415) 555-0100')).toEqual({
      uri: 'sip:+14155550100@sip.carrier.example',
      party: 'sip:+14155550100@sip.carrier.example',
      host: 'sip.carrier.example',
      transport: 'udp',
      throughTrunk: true,
      credentials,
    });
    const secure = { trunk: { ...trunk, host: '[2001:DB8:0::9]', port: 5070, transport: 'tls' as const } };
    expect(to('+4930.1234567', secure).uri).toBe('sip:+49301234567@[2001:db8::9]:5070;transport=tls');
  });

  test.each([
    ['+4930123456', 'allowed: sip:+4930123456@sip.carrier.example'],
    ['+19005550100', 'destination_not_allowed'],
    ['+19005550199', 'destination_not_allowed'],
    ['+1 900 55 12345', 'allowed: sip:+19005512345@sip.carrier.example'],
    ['+442071234567', 'destination_not_allowed'],
    ['004930123456', 'invalid_request'],
    ['4930123456', 'invalid_request'],
    ['+49', 'invalid_request'],
    ['+4930123456789012', 'invalid_request'],
    ['+49 30 12x456', 'invalid_request'],
    ['tel:+4930123456', 'invalid_request'],
    ['', 'invalid_request'],
  ])('%s is decided by the longest prefix: %s', (number, outcome) => {
    const rules = ['+1', '!+1900', '+190055', '!+19005550', '+49'];
    expect(refusal(number, { allowedNumbers: rules })).toBe(outcome);
  });

  test('may be called when a list says so, and of two equal prefixes the one that refuses decides', () => {
    expect(refusal('+4930123456', { allowedNumbers: [] })).toBe('destination_not_allowed');
    expect(refusal('+4930123456', { allowedNumbers: ['+49', '!+49'] })).toBe('destination_not_allowed');
    expect(refusal('+4930123456', { trunk: null })).toBe('outbound_trunk_missing');
  });
});

describe('a SIP URI', () => {
  test('of a host that is listed is called as it is, without the trunk', () => {
    expect(to('sip:agent@PBX.example.com:5080;transport=TCP;x=1')).toEqual({
      uri: 'sip:agent@pbx.example.com:5080;transport=tcp;x=1',
      party: 'sip:agent@pbx.example.com',
      host: 'pbx.example.com',
      transport: 'tcp',
      throughTrunk: false,
      credentials: null,
    });
    expect(to('sips:agent@pbx.example.com').transport).toBe('tls');
  });

  test.each([
    ['sip:a@pbx.example.com.', 'allowed: sip:a@pbx.example.com'],
    ['sip:a@x.branch.example.com', 'allowed: sip:a@x.branch.example.com'],
    ['sip:a@x.y.branch.example.com', 'allowed: sip:a@x.y.branch.example.com'],
    ['sip:a@192.0.2.7', 'allowed: sip:a@192.0.2.7'],
    ['sip:a@[2001:db8:0:0::1]:5070', 'allowed: sip:a@[2001:db8::1]:5070'],
    ['sip:pbx.example.com', 'allowed: sip:pbx.example.com'],
    ['sip:a@branch.example.com', 'destination_not_allowed'],
    ['sip:a@evilbranch.example.com', 'destination_not_allowed'],
    ['sip:a@pbx.example.com.evil.net', 'destination_not_allowed'],
    ['sip:a@127.0.0.1', 'destination_not_allowed'],
    ['sip:a@10.0.0.1', 'destination_not_allowed'],
    ['sip:a@localhost', 'destination_not_allowed'],
    ['sip:a@[::1]', 'destination_not_allowed'],
    ['sip:a@[::ffff:192.0.2.7]', 'destination_not_allowed'],
    ['sip:a@192.0.2.07', 'invalid_request'],
    ['sip:a@0xc0000207', 'invalid_request'],
    ['sip:a@3221225991', 'invalid_request'],
    ['sip:a:password@pbx.example.com', 'invalid_request'],
    ['sip:a@pbx.example.com?Route=%3Csip:evil.net%3E', 'invalid_request'],
    ['sip:a@pbx.example.com;maddr=10.0.0.1', 'invalid_request'],
    ['sip:a@pbx.example.com;MADDR=10.0.0.1', 'invalid_request'],
    ['sip:a@pbx.example.com;method=REFER', 'invalid_request'],
    ['sip:a@pbx.example.com;transport=sctp', 'invalid_request'],
    ['sip:a@pbx.example.com;transport=tcp;transport=udp', 'invalid_request'],
    ['sip:a@pbx.example.com:0', 'invalid_request'],
    ['sip:a@pbx.example.com:99999', 'invalid_request'],
    ['sip:a b@pbx.example.com', 'invalid_request'],
    ['sip:a@pbx.example.com\r\nX: y', 'invalid_request'],
    ['sip:a@pbx.example.com>', 'invalid_request'],
    [`sip:${'a'.repeat(500)}@pbx.example.com`, 'invalid_request'],
  ])('%s: %s', (uri, outcome) => {
    expect(refusal(uri)).toBe(outcome);
  });

  test('is refused where nothing is listed', () => {
    expect(refusal('sip:agent@pbx.example.com', { allowedDomains: [] })).toBe('destination_not_allowed');
  });

  test.each(['sip:x@sip.kallglot.com', 'sip:x@127.0.0.1', 'sip:x@127.0.0.1:5060;transport=tcp'])(
    '%s is ourselves, and never called',
    (uri) => {
      const all = { allowedDomains: ['sip.kallglot.com', '127.0.0.1', '*.kallglot.com'] };
      expect(refusal(uri, all)).toBe('destination_not_allowed');
      expect(refusal('sip:x@127.0.0.1:5080', all)).toMatch(/^allowed/);
      const self = { ...all, trunk: { ...trunk, host: '127.0.0.1' } };
      expect(refusal('+4930123456', self)).toBe('destination_not_allowed');
    },
  );
});

describe("a SIP URI at the trunk's host", () => {
  const listed = { allowedDomains: ['sip.carrier.example'] };

  test.each([
    'sip:+19001234567@sip.carrier.example',
    'sip:%2B19001234567@sip.carrier.example',
    'sip:+1-900-123-4567@SIP.CARRIER.EXAMPLE',
    'sip:+19001234567;phone-context=x@sip.carrier.example:5060',
    'sip:+19001234567@sip.carrier.example:5070',
    'sips:+19001234567@sip.carrier.example',
  ])('%s is a number, and its list is not got round', (uri) => {
    expect(refusal(uri, listed)).toBe('destination_not_allowed');
  });

  test('is a call through the trunk when its number is allowed', () => {
    expect(to('sip:%2B4930123456@sip.carrier.example').uri).toBe('sip:+4930123456@sip.carrier.example');
    expect(to('sip:+4930123456@sip.carrier.example').credentials).toEqual(credentials);
  });

  test('that names no number is called only when the host itself is listed, no domain above it', () => {
    expect(refusal('sip:200@sip.carrier.example', { allowedDomains: ['*.carrier.example'] })).toBe(
      'destination_not_allowed',
    );
    expect(to('sip:200@sip.carrier.example', listed)).toMatchObject({ throughTrunk: true, credentials });
  });

  test('on another port or transport does not get the credentials', () => {
    for (const uri of [
      'sip:200@sip.carrier.example:5070',
      'sip:200@sip.carrier.example;transport=tcp',
      'sips:200@sip.carrier.example',
    ])
      expect(to(uri, listed)).toMatchObject({ throughTrunk: false, credentials: null });
  });
});
