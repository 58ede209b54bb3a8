import { expect, test } from 'vitest';
import {
  isSameSocketAddress,
  MAX_SOCKET_ADDRESS_BYTES,
  readSocketAddress,
  writeSocketAddress,
} from '../../src/media/socket-address.ts';

/** As the system hands it out: more room than the address needs. */
function received(family: 4 | 6, address: string, port: number): Buffer {
  const bytes = Buffer.alloc(MAX_SOCKET_ADDRESS_BYTES, family === 4 ? 0xff : 0);
  bytes.set(writeSocketAddress(family, address, port));
  return bytes;
}

test('an IPv4 address stands in the memory of Linux as its headers say', () => {
  const bytes = writeSocketAddress(4, '192.0.2.130', 4660);
  expect(Buffer.from(bytes).toString('hex')).toBe('02001234c00002820000000000000000');
});

test('an IPv6 address stands in the memory of Linux as its headers say', () => {
  const bytes = writeSocketAddress(6, '2001:db8::ff:1', 4660);
  const expected = '0a0012340000000020010db8000000000000000000ff000100000000';
  expect(Buffer.from(bytes).toString('hex')).toBe(expected);
});

test.each([
  [4, '127.0.0.1', '127.0.0.1'],
  [4, '255.255.255.255', '255.255.255.255'],
  [6, '::', '::'],
  [6, '::1', '::1'],
  [6, '2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  [6, 'fe80::', 'fe80::'],
  [6, '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  [6, '::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  [6, 'fe80::1%999', 'fe80::1%999'],
] as const)('IPv%i %s comes back as %s', (family, text, expected) => {
  const read = readSocketAddress(received(family, text, 65_535));
  expect(read).toEqual({ address: expected, family: `IPv${family}`, port: 65_535, size: 0 });
});

test.each([
  [4, '::1'],
  [4, ''],
  [4, '1.2.3'],
  [6, '127.0.0.1'],
  [6, 'nowhere'],
  [6, ''],
] as const)('a socket of IPv%i has no address %j', (family, text) => {
  expect(() => writeSocketAddress(family, text, 5004)).toThrow(/address|invalid/i);
});

test('two are the same by address and port, whatever stands behind them', () => {
  const bytes = received(4, '192.0.2.1', 5004);
  const behind = Buffer.from(bytes);
  behind.fill(1, 8);
  expect(isSameSocketAddress(bytes, behind)).toBe(true);
  expect(isSameSocketAddress(bytes, received(4, '192.0.2.2', 5004))).toBe(false);
  expect(isSameSocketAddress(bytes, received(4, '192.0.2.1', 5005))).toBe(false);
  const six = received(6, '2001:db8::1', 5004);
  expect(isSameSocketAddress(six, received(6, '2001:db8::1', 5004))).toBe(true);
  expect(isSameSocketAddress(six, received(6, '2001:db8::2', 5004))).toBe(false);
  expect(isSameSocketAddress(six, received(6, '2001:db8::1%7', 5004))).toBe(false);
});
