import { expect, test } from 'vitest';
import { upgrade } from '../../../src/pipeline/websocket/upgrade.ts';

/** What is asked of a server at `url`; nothing is sent. */
function asked(url: string, name: string): unknown {
  const ignore = () => {};
  const request = upgrade(
    { url, headers: {} },
    ...[{ onUpgraded: ignore, onBytes: ignore, onRefused: ignore, onFailed: ignore, onClosed: ignore }],
  );
  request.destroy();
  return request.getHeader(name);
}

test.each([
  ['wss://127.0.0.1/a', '127.0.0.1'],
  ['ws://127.0.0.1/a', '127.0.0.1'],
  ['wss://127.0.0.1:443/a', '127.0.0.1'],
  ['wss://127.0.0.1:80/a', '127.0.0.1:80'],
  ['ws://127.0.0.1:443/a', '127.0.0.1:443'],
  ['wss://[::1]/a', '[::1]'],
  ['wss://[::1]:8443/a', '[::1]:8443'],
])('%s is asked for at the host %s', (url, host) => {
  expect(asked(url, 'Host')).toBe(host);
});

test.each([
  ['ws://user:pa%20ss@127.0.0.1/', 'user:pa ss'],
  ['ws://user@127.0.0.1/', 'user:'],
  ['ws://:token@127.0.0.1/', ':token'],
])('%s is asked for by %s', (url, credentials) => {
  expect(asked(url, 'Authorization')).toBe(`Basic ${Buffer.from(credentials).toString('base64')}`);
});

test('without credentials in the address none are told', () => {
  expect(asked('ws://127.0.0.1/', 'Authorization')).toBeUndefined();
});
