import { expect, test } from 'vitest';
import { emptyRtpHeader, isRtcp, isValidRtcp, readRtpHeader } from '../../src/media/rtp-header.ts';

const packet = (first: number, ...rest: number[]): Uint8Array =>
  Uint8Array.from([first, 0x80 | 8, 0xab, 0xcd, 0xff, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef, ...rest]);

const read = (bytes: Uint8Array) => {
  const header = emptyRtpHeader();
  return readRtpHeader(bytes, header) ? header : undefined;
};

test('reads every field of a plain packet', () => {
  expect(read(packet(0x80, 1, 2, 3))).toEqual({
    payloadType: 8,
    marker: true,
    sequence: 0xabcd,
    timestamp: 0xff00_0001,
    ssrc: 0xdead_beef,
    payloadOffset: 12,
    payloadLength: 3,
  });
});

test('steps over CSRCs, a header extension and padding', () => {
  const csrc = [0, 0, 0, 1, 0, 0, 0, 2];
  const extension = [0xbe, 0xde, 0, 1, 9, 9, 9, 9];
  const header = read(packet(0xb2, ...csrc, ...extension, 7, 7, 7, 0, 0, 3));
  expect(header).toMatchObject({ payloadOffset: 28, payloadLength: 3 });
});

test('a payload may be empty', () => {
  expect(read(packet(0x80))?.payloadLength).toBe(0);
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['a short header', packet(0x80).subarray(0, 11)],
  ['another version', packet(0x40, 1)],
  ['CSRCs beyond the end', packet(0x81, 1, 2, 3)],
  ['an extension header beyond the end', packet(0x90, 1, 2)],
  ['an extension beyond the end', packet(0x90, 0, 0, 0, 2, 1, 2, 3, 4)],
  ['padding of 0', packet(0xa0, 1, 0)],
  ['padding longer than the payload', packet(0xa0, 1, 3)],
  ['padding that would reach into the header', packet(0xa0)],
])('refuses %s', (_, bytes) => {
  expect(read(bytes)).toBeUndefined();
});

test('no cut or changed byte of a good packet reads beyond its end', () => {
  const good = packet(0xb1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 5, 5, 1);
  for (let length = 0; length <= good.length; length++) {
    for (let value = 0; value < 256; value++) {
      const bytes = good.slice(0, length);
      bytes[0] = value;
      const header = read(bytes);
      if (header) expect(header.payloadOffset + header.payloadLength).toBeLessThanOrEqual(length);
      if (header) expect(header.payloadLength).toBeGreaterThanOrEqual(0);
    }
  }
});

test('RTCP is told from RTP by its packet type (RFC 5761)', () => {
  const receiverReport = Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 1);
  expect(isRtcp(receiverReport)).toBe(true);
  expect(isValidRtcp(receiverReport)).toBe(true);
  expect(isValidRtcp(receiverReport.subarray(0, 7))).toBe(false);
  expect(isValidRtcp(packet(0x80))).toBe(false);
  for (const payloadType of [0, 8, 13, 63, 96, 101, 127]) {
    expect(isRtcp(Uint8Array.of(0x80, payloadType | 0x80))).toBe(false);
  }
});
