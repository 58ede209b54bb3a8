import { describe, expect, test } from 'vitest';
import { normalizeAddress } from '../../src/admission/address.ts';
import { Allowlist, knownNetworks } from '../../src/admission/allowlist.ts';
import { originOf } from '../../src/admission/origin.ts';

describe('one spelling for each address', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['[2001:DB8:0:0::1]', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['pbx.example.com', null],
    ['192.0.2', null],
    ['', null],
  ])('%s is %s', (text, expected) => {
    expect(normalizeAddress(text)).toBe(expected);
  });
});

describe('the networks of known sources', () => {
  test('are what identifies on the allowlists, and all trusted proxies, each once', () => {
    const allowlists = [['192.0.2.7', '0.0.0.0/0'], ['2001:db8::/32', '::/0', '::ffff:192.0.2.7'], []];
    expect(knownNetworks(allowlists, ['10.0.0.0/8'])).toEqual([
      '192.0.2.7/32',
      '2001:db8::/32',
      '10.0.0.0/8',
    ]);
  });
});

describe('the allowlist', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', 'identifies'],
    ['192.0.2.7', '192.0.2.8', null],
    ['192.0.2.0/24', '192.0.2.255', 'identifies'],
    ['192.0.2.99/24', '192.0.2.1', 'identifies'],
    ['192.0.0.0/16', '192.0.2.7', 'identifies'],
    ['192.0.0.0/15', '192.0.2.7', 'allowed_only'],
    ['0.0.0.0/0', '192.0.2.7', 'allowed_only'],
    ['0.0.0.0/0', '2001:db8::1', null],
    ['2001:db8::/32', '2001:db8:ffff::1', 'identifies'],
    ['2001:db8::/31', '2001:db9::1', 'allowed_only'],
    ['::/0', '2001:db8::1', 'allowed_only'],
    ['::/0', '192.0.2.7', null],
    ['2001:db8::7', '2001:DB8:0:0::7', 'identifies'],
    ['192.0.2.7', '::ffff:192.0.2.7', 'identifies'],
    ['::ffff:192.0.2.7', '192.0.2.7', 'identifies'],
    ['::ffff:192.0.2.0/120', '192.0.2.9', 'identifies'],
    ['::ffff:0.0.0.0/96', '192.0.2.7', 'allowed_only'],
    ['192.0.2.0/24', 'not an address', null],
  ])('%s and %s: %s', (entry, source, standing) => {
    expect(new Allowlist([entry]).standing(source)).toBe(standing);
  });

  test('a source on a narrow entry and on a wide one is identified', () => {
    expect(new Allowlist(['0.0.0.0/0', '192.0.2.0/24']).standing('192.0.2.7')).toBe('identifies');
  });

  test('an empty list is known as such and holds nobody', () => {
    expect(new Allowlist([])).toMatchObject({ isEmpty: true });
    expect(new Allowlist([]).standing('192.0.2.7')).toBeNull();
    expect(new Allowlist(['192.0.2.7']).isEmpty).toBe(false);
  });

  test.each([
    ['pbx.example.com', 'an address or a network'],
    ['192.0.2.0/24/8', 'an address or a network'],
    ['fe80::1%eth0', 'an address or a network'],
    ['', 'an address or a network'],
    ['192.0.2.0/33', 'a prefix from 0 to 32'],
    ['192.0.2.0/', 'a prefix from 0 to 32'],
    ['192.0.2.0/-1', 'a prefix from 0 to 32'],
    ['2001:db8::/129', 'a prefix from 0 to 128'],
    ['::ffff:192.0.2.0/24', 'a prefix from 96 to 128 for IPv4-mapped addresses'],
  ])('the entry "%s" is refused by name', (entry, words) => {
    expect(() => new Allowlist(['192.0.2.1', entry])).toThrow(
      new RangeError(`allowlist entry "${entry}" cannot be used; allowed: ${words}`),
    );
  });
});

/** Of a request that came over UDP. */
const sourceAddress = (peer: string, via: string, proxies: Allowlist): string =>
  originOf({ address: peer, transport: 'udp' }, via, proxies).address;

describe('the source address', () => {
  const proxies = new Allowlist(['10.0.0.0/24', '2001:db8:1::/64']);
  const via = (...hops: string[]) => hops.map((hop) => `SIP/2.0/UDP ${hop}`).join(', ');

  test("is the socket peer's, and a header never replaces it", () => {
    expect(sourceAddress('203.0.113.66', via('203.0.113.66', '192.0.2.7;received=192.0.2.7'), proxies)).toBe(
      '203.0.113.66',
    );
    expect(sourceAddress('203.0.113.66', via('10.0.0.1;received=10.0.0.1', '192.0.2.7'), proxies)).toBe(
      '203.0.113.66',
    );
  });

  test('of a mapped peer is the IPv4 address', () => {
    expect(sourceAddress('::ffff:203.0.113.66', '', new Allowlist([]))).toBe('203.0.113.66');
  });

  test.each([
    [
      'its received',
      via('10.0.0.1;branch=z1', 'pbx.example.com:5060;branch=z2;received=192.0.2.7;rport=5060'),
      '192.0.2.7',
    ],
    ['its sent-by without received', via('10.0.0.1', '192.0.2.7:5060;branch=z2'), '192.0.2.7'],
    ['the topmost one only', via('10.0.0.1', '192.0.2.7', '192.0.2.99'), '192.0.2.7'],
    [
      'the first behind several trusted hops',
      via('10.0.0.1', '10.0.0.2;received=10.0.0.2', '192.0.2.7'),
      '192.0.2.7',
    ],
    ['an IPv6 one', via('10.0.0.1', '[2001:DB8::7]:5060;branch=z'), '2001:db8::7'],
    ['an IPv6 received', via('10.0.0.1', 'pbx.example.com;received=[2001:db8::7]'), '2001:db8::7'],
    [
      'the received that was written last, should the peer have brought one',
      via('10.0.0.1', '10.0.0.2;received=192.0.2.7;received=203.0.113.66'),
      '203.0.113.66',
    ],
    [
      'in odd spacing',
      'SIP / 2.0 / UDP 10.0.0.1 , SIP / 2.0 / TLS pbx.example.com ; Received = 192.0.2.7',
      '192.0.2.7',
    ],
  ])('behind a trusted proxy is that of the topmost untrusted hop: %s', (_, header, expected) => {
    expect(sourceAddress('10.0.0.1', header, proxies)).toBe(expected);
  });

  test.each([
    ['there is no Via', ''],
    ['there is no second hop', via('10.0.0.1')],
    ['a host name has no received', via('10.0.0.1', 'pbx.example.com')],
    ['all hops are trusted', via('10.0.0.1', '10.0.0.2', '10.0.0.3')],
    ['Via is too long', via('10.0.0.1', '192.0.2.7').padEnd(9000)],
    ['Via is garbage', 'x,y,,;;'],
  ])('behind a trusted proxy is the peer when %s', (_, header) => {
    expect(sourceAddress('10.0.0.1', header, proxies)).toBe('10.0.0.1');
  });
});

describe('the transport', () => {
  const proxies = new Allowlist(['10.0.0.0/24']);
  const of = (peer: { address: string; transport: string }, via: string) =>
    originOf(peer, via, proxies).transport;

  test("is the socket's, and a header never replaces it", () => {
    const via = 'SIP/2.0/TLS 203.0.113.66, SIP/2.0/TLS 192.0.2.7';
    expect(of({ address: '203.0.113.66', transport: 'udp' }, via)).toBe('udp');
    expect(of({ address: '203.0.113.66', transport: 'tls' }, via.replaceAll('TLS', 'UDP'))).toBe('tls');
  });

  test.each([
    ['SIP/2.0/UDP 10.0.0.1, SIP/2.0/TLS 192.0.2.7', 'tls'],
    ['SIP/2.0/TLS 10.0.0.1, SIP/2.0/UDP pbx.example.com;received=192.0.2.7', 'udp'],
    ['SIP/2.0/TCP 10.0.0.1, SIP/2.0/UDP 10.0.0.2, SIP / 2.0 / tls 192.0.2.7, SIP/2.0/UDP 192.0.2.8', 'tls'],
    ['SIP/2.0/TCP 10.0.0.1, SIP/2.0/TLS pbx.example.com', 'tcp'],
    ['SIP/2.0/TCP 10.0.0.1', 'tcp'],
  ])('behind a trusted proxy is that of the topmost untrusted hop: %s', (via, expected) => {
    expect(of({ address: '10.0.0.1', transport: 'tcp' }, via)).toBe(expected);
  });
});
