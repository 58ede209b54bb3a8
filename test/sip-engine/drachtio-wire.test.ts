import { describe, expect, it } from 'vitest';
import {
  FrameError,
  FrameReader,
  formatFrame,
  MAX_FRAME_BYTES,
  parseFrame,
  timeOfDay,
} from '../../src/sip-engine/drachtio-wire.ts';
import { framed } from '../support/engine-harness.ts';

const texts = (payloads: Buffer[]): string[] => payloads.map((payload) => payload.toString());

describe('FrameReader', () => {
  const stream = Buffer.concat([
    framed('a|ping'),
    framed('b|sip|t|\r\nSIP/2.0 200 Grüße\r\n\r\n'),
    framed('c|route|bye'),
  ]);
  const expected = ['a|ping', 'b|sip|t|\r\nSIP/2.0 200 Grüße\r\n\r\n', 'c|route|bye'];

  it('reads frames that came in one write', () => {
    expect(texts(new FrameReader().feed(stream))).toEqual(expected);
  });

  it.each(Array.from({ length: stream.length - 1 }, (_, i) => i + 1))(
    'reads frames split at byte %i',
    (at) => {
      const reader = new FrameReader();
      const payloads = [...reader.feed(stream.subarray(0, at)), ...reader.feed(stream.subarray(at))];
      expect(texts(payloads)).toEqual(expected);
    },
  );

  it('reads frames that come byte by byte', () => {
    const reader = new FrameReader();
    const payloads = [...stream].flatMap((byte) => reader.feed(Buffer.from([byte])));
    expect(texts(payloads)).toEqual(expected);
  });

  it('counts bytes, not characters', () => {
    expect(texts(new FrameReader().feed(Buffer.from('3#€4#abcd')))).toEqual(['€', 'abcd']);
  });

  it('takes leading zeros and frames above the 12 kB of a real server', () => {
    expect(texts(new FrameReader().feed(Buffer.from('00003#abc')))).toEqual(['abc']);
    const big = 'x'.repeat(40_000);
    expect(texts(new FrameReader().feed(framed(big)))).toEqual([big]);
  });

  it.each(['5x#abcde', '#abc', '000001#a', '-1#a', '0#'])('refuses the length of %s', (text) => {
    expect(() => new FrameReader().feed(Buffer.from(text))).toThrow(FrameError);
  });

  it('refuses a frame over the cap before it has come', () => {
    expect(() => new FrameReader().feed(Buffer.from(`${MAX_FRAME_BYTES + 1}#`))).toThrow(/65536 are allowed/);
  });
});

describe('parseFrame and formatFrame', () => {
  it('takes the first line apart and leaves the SIP text as bytes', () => {
    const frame = parseFrame(Buffer.from('id|sip||call;from-tag=x\r\nBYE sip:a SIP/2.0\r\n\r\n'));
    expect(frame).toEqual({
      id: 'id',
      type: 'sip',
      tokens: ['', 'call;from-tag=x'],
      sip: Buffer.from('BYE sip:a SIP/2.0\r\n\r\n'),
    });
  });

  it.each(['', 'only', '|ping'])('refuses %j, which has no id and type', (text) => {
    expect(() => parseFrame(Buffer.from(text))).toThrow(FrameError);
  });

  it('writes what the reader reads, with a fresh id', () => {
    const sip = Buffer.from('SIP/2.0 200 ä\r\n\r\n');
    const payloads = new FrameReader().feed(
      Buffer.concat([formatFrame(['ping']), formatFrame(['sip', 7, ''], sip)]),
    );
    expect(texts(payloads)[0]).toMatch(/^[0-9a-f-]{36}\|ping$/);
    expect(texts(payloads)[1]).toMatch(/^[0-9a-f-]{36}\|sip\|7\|\r\nSIP\/2.0 200 ä\r\n\r\n$/);
  });
});

describe('timeOfDay', () => {
  it('is UTC with six decimals', () => {
    expect(timeOfDay(Date.UTC(2026, 0, 1, 11, 12, 34, 250))).toBe('11:12:34.250000');
  });
});
