import { describe, expect, test } from 'vitest';
import { isTooLong } from '../../src/sip/message-limits.ts';

const message = (headers: string[], body = '') =>
  `INVITE sip:a@example.com SIP/2.0\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n${body}`;

describe('a message that a drachtio-server passes on', () => {
  test('is read while it has the size of a call', () => {
    const headers = ['From: <sip:a@x>;tag=1', `X-Data: ${'a'.repeat(4000)}`, 'Content-Type: application/sdp'];
    expect(isTooLong(message(headers, 'v=0'.padEnd(12_000)))).toBe(false);
  });

  test.each([
    ['a From', message([`From: "${' '.repeat(2048)}" <sip:a@x>`])],
    ['a compact To', message([`t: <sip:${'a'.repeat(2048)}@x>`])],
    ['a folded Via', message(['Via: SIP/2.0/UDP x', ...Array.from({ length: 30 }, () => ' '.repeat(100))])],
    ['any header', message([`X-Data: ${'a'.repeat(4096)}`])],
    ['the request line', `INVITE sip:${'a'.repeat(4096)}@x SIP/2.0\r\n\r\n`],
    ['the body', message([], 'a'.repeat(12_289))],
    ['a multipart body', message(['c: multipart/mixed;boundary=x'], 'a'.repeat(4097))],
    ['all of it', message(Array.from({ length: 20 }, () => `X-Data: ${'a'.repeat(1000)}`))],
  ])('is too long for its %s', (_what, text) => expect(isTooLong(text)).toBe(true));
});
