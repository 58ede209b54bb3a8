import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { HmacSha1 } from '../../src/media/hmac-sha1.ts';

/** Bytes that look random and are the same every time. */
const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => ((i + 1) * 0x9e3779b1 * (seed + 1)) >>> 13);

/** RFC 2202, case 1 ("Hi There") and 2 ("what do ya want for nothing?"), whose last four bytes are given as the word. */
test.each([
  [new Uint8Array(20).fill(0x0b), 'Hi There', 'b617318655057264e28bc0b6fb378c8ef146be00'],
  [Buffer.from('Jefe'), 'what do ya want for nothing?', 'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79'],
])('RFC 2202: %#', (key, text, digest) => {
  const data = Buffer.from(text);
  const word = data.readInt32BE(data.length - 4);
  const made = new HmacSha1(key).digest(data, data.length - 4, word).subarray(0, 20);
  expect(Buffer.from(made).toString('hex')).toBe(digest);
});

test('is what OpenSSL makes, whatever the length, with one object for all', () => {
  const key = bytes(20, 7);
  const hmac = new HmacSha1(key);
  for (let length = 0; length <= 300; length++) {
    const data = bytes(length, length);
    const word = (length * 0x01030507) | 0;
    const wordBytes = Buffer.alloc(4);
    wordBytes.writeInt32BE(word);
    const expected = createHmac('sha1', key).update(data).update(wordBytes).digest('hex');
    expect(Buffer.from(hmac.digest(data, length, word).subarray(0, 20)).toString('hex')).toBe(expected);
  }
});
