import { describe, expect, it } from 'vitest';
import { FrameError, FrameReader } from '../src/drachtio-frames.ts';
import { framed } from './support/engine-harness.ts';

const texts = (payloads: Buffer[]): string[] => payloads.map((payload) => payload.toString());

describe('FrameReader', () => {
  const stream = Buffer.concat([
    framed('a|ping'),
    framed('b|sip|t|\r\nSIP/2.0 200 Grüße\r\n\r\n'),
    framed('c|route|bye'),
  ]);
  const expected = ['a|ping', 'b|sip|t|\r\nSIP/2.0 200 Grüße\r\n\r\n', 'c|route|bye'];

  it('reads frames that came in one write', () => {
    expect(texts(new FrameReader(65_536).feed(stream))).toEqual(expected);
  });

  it.each(Array.from({ length: stream.length - 1 }, (_, i) => i + 1))(
    'reads frames split at byte %i',
    (at) => {
      const reader = new FrameReader(65_536);
      const payloads = [...reader.feed(stream.subarray(0, at)), ...reader.feed(stream.subarray(at))];
      expect(texts(payloads)).toEqual(expected);
    },
  );

  it('reads frames that come byte by byte', () => {
    const reader = new FrameReader(65_536);
    const payloads = [...stream].flatMap((byte) => reader.feed(Buffer.from([byte])));
    expect(texts(payloads)).toEqual(expected);
  });

  it('counts bytes, not characters', () => {
    expect(texts(new FrameReader(65_536).feed(Buffer.from('3#€4#abcd')))).toEqual(['€', 'abcd']);
  });

  it('takes leading zeros and frames above the 12 kB of a real server', () => {
    expect(texts(new FrameReader(65_536).feed(Buffer.from('00003#abc')))).toEqual(['abc']);
    const big = 'x'.repeat(40_000);
    expect(texts(new FrameReader(65_536).feed(framed(big)))).toEqual([big]);
  });

  it.each(['5x#abcde', '#abc', '000001#a', '-1#a', '0#', 'x', '12x4#', '99999999#'])(
    'refuses the length of %s',
    (text) => {
      expect(() => new FrameReader(65_536).feed(Buffer.from(text))).toThrow(FrameError);
    },
  );

  it('waits for the rest when only a length has come', () => {
    const reader = new FrameReader(65_536);
    expect(['1', '2', '#'].flatMap((part) => reader.feed(Buffer.from(part)))).toEqual([]);
    expect(texts(reader.feed(Buffer.from('abcdefghijkl3#xyz')))).toEqual(['abcdefghijkl', 'xyz']);
  });

  it('refuses a frame over the cap before it has come', () => {
    expect(() => new FrameReader(65_536).feed(Buffer.from('65537#'))).toThrow(/65536 are allowed/);
  });
});
