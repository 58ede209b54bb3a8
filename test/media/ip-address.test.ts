import { expect, test } from 'vitest';
import {
  comparable,
  firstLocalAddress,
  isBindable,
  isUnspecified,
  sendable,
} from '../../src/media/ip-address.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:0201', '192.0.2.1'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['example.org', ''],
  ['', ''],
])('%s is compared as "%s"', (address, form) => {
  expect(comparable(address)).toBe(form);
});

test('an address suits the family of the socket that sends to it', () => {
  expect(sendable('::ffff:192.0.2.1', 4)).toBe('192.0.2.1');
  expect(sendable('192.0.2.1', 6)).toBe('::ffff:192.0.2.1');
  expect(sendable('2001:db8::1', 6)).toBe('2001:db8::1');
});

test('unspecified addresses are nowhere', () => {
  for (const address of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '']) {
    expect(isUnspecified(address), address).toBe(true);
  }
  expect(isUnspecified('127.0.0.1')).toBe(false);
});

test('there is always a local address to name', () => {
  expect(comparable(firstLocalAddress(4))).not.toBe('');
  expect(comparable(firstLocalAddress(6))).not.toBe('');
});

test('only an address of this machine can be bound', () => {
  expect(isBindable('127.0.0.1')).toBe(true);
  expect(isBindable('::ffff:127.0.0.1')).toBe(true);
  expect(isBindable('203.0.113.5')).toBe(false);
  expect(isBindable('')).toBe(false);
});
