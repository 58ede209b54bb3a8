import { describe, expect, test } from 'vitest';
import { parseNetwork } from '../../src/telephony/cidr.ts';

describe('a network', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', 4, 32],
    ['192.0.2.7/32', '192.0.2.7', 4, 32],
    ['192.0.2.7/24', '192.0.2.0/24', 4, 24],
    ['255.255.255.255/1', '128.0.0.0/1', 4, 1],
    ['0.0.0.0/0', '0.0.0.0/0', 4, 0],
    ['2001:DB8:0:0::1', '2001:db8::1', 6, 128],
    ['2001:db8:ffff::1/33', '2001:db8:8000::/33', 6, 33],
    ['::/0', '::/0', 6, 0],
    ['::1', '::1', 6, 128],
    ['::ffff:192.0.2.77/120', '192.0.2.0/24', 4, 24],
    [' 2001:db8::/32 ', '2001:db8::/32', 6, 32],
  ])('%s has one spelling', (text, cidr, family, prefix) => {
    expect(parseNetwork(text)).toEqual({ cidr, family, prefix });
  });

  test.each([
    '',
    'example.com',
    '192.0.2',
    '192.0.2.0/33',
    '192.0.2.0/-1',
    '192.0.2.0/',
    '192.0.2.0/24/1',
    '::/129',
    'fe80::1%eth0',
    '::ffff:192.0.2.0/95',
  ])('is not "%s"', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});
