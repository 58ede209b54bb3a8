import { describe, expect, test } from 'vitest';
import { FrameReader } from '../../src/sip/frame-reader.ts';

const frame = (payload: string) => Buffer.from(`${Buffer.byteLength(payload)}#${payload}`);

describe('frames of an engine', () => {
  test('are cut out of the stream however it comes, by bytes and not by characters', () => {
    const payloads = ['a|response|b|OK', 'ü|sip\r\nINVITE sip:é@x', 'x'.repeat(70_000)];
    const stream = Buffer.concat(payloads.map(frame));
    expect(new FrameReader().feed(stream)).toEqual(payloads);
    const bytewise = new FrameReader();
    const head = [...stream.subarray(0, 60)].flatMap((byte) => bytewise.feed(Buffer.from([byte])));
    expect([...head, ...bytewise.feed(stream.subarray(60))]).toEqual(payloads);
  });

  test.each(['x', '#a', '0#', '12x4#', '99999999#', '2000000#'])('are none: %s', (text) => {
    expect(() => new FrameReader().feed(Buffer.from(text))).toThrow('no frame');
  });

  test('of which only the length has come wait for the rest', () => {
    const reader = new FrameReader();
    expect(['1', '2', '#'].flatMap((part) => reader.feed(Buffer.from(part)))).toEqual([]);
    expect(reader.feed(Buffer.from('abcdefghijkl3#xyz'))).toEqual(['abcdefghijkl', 'xyz']);
  });
});
