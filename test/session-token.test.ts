import { expect, test } from 'vitest';
import { signToken, verifyToken } from '../src/session-token.ts';

const now = Date.UTC(2026, 0, 1);
const token = signToken('secret-secret-secret', 'sess_A', now);

test('opens a connection for its session, for five minutes', () => {
  expect(verifyToken('secret-secret-secret', token, now)).toBe('sess_A');
  expect(verifyToken('secret-secret-secret', token, now + 299_000)).toBe('sess_A');
  expect(verifyToken('secret-secret-secret', token, now + 301_000)).toBeUndefined();
});

test('fits into a URL as it is', () => {
  expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
});

test('a token of another secret, or one that was touched, opens nothing', () => {
  const [payload = '', signature = ''] = token.split('.');
  const forged = Buffer.from('{"session_id":"sess_B","expires_at":9999999999}').toString('base64url');
  const wrong = [
    signToken('another-secret-here', 'sess_A', now),
    `${forged}.${signature}`,
    `${payload}.${signature.slice(0, -2)}`,
    `${token}.x`,
    payload,
    '.',
    '',
    `${payload}.${'A'.repeat(2000)}`,
  ];
  for (const candidate of wrong) {
    expect(verifyToken('secret-secret-secret', candidate, now), candidate).toBeUndefined();
  }
});
