import { expect, it } from 'vitest';
import { sourceTowards } from '../../src/sip-engine/local-address.ts';

it.each([
  ['198.51.100.7', '192.0.2.1', '198.51.100.7'],
  ['2001:db8::7', '2001:db8::1', '2001:db8::7'],
  ['198.51.100.7', '127.0.0.1', '198.51.100.7'],
  ['127.0.0.2', '127.0.0.1', '127.0.0.2'],
])('bound to %s, a connection to %s leaves from there', (bound, remote, source) => {
  expect(sourceTowards(bound, remote)).toBe(source);
});

it.each([
  ['0.0.0.0', '192.0.2.1'],
  ['::', '2001:db8::1'],
  ['198.51.100.7', '2001:db8::1'],
  ['127.0.0.1', '192.0.2.1'],
  ['gateway.example', '192.0.2.1'],
])('bound to %s, the system chooses where a connection to %s leaves from', (bound, remote) => {
  expect(sourceTowards(bound, remote)).toBeUndefined();
});
